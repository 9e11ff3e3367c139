"""As many entries of a directory as a large city has, made up: the same ones for the same number.

172,654 is what one published sharing platform has. Titles are made of words that such titles are
made of, so that searches find few, some and many.
"""

import random
from collections.abc import Iterator

from foundation.kernel.text import Text
from workloads.data_exchange.directory.model import Body, Contact, Distribution
from workloads.data_exchange.directory.vocabulary import FREQUENCIES, THEMES

COUNT = 172_654
AGENCIES = 60

_WHAT = [
    ("households", "户籍"), ("marriages", "婚姻登记"), ("real estate", "不动产登记"),
    ("social security", "社会保险"), ("housing fund", "住房公积金"), ("business", "企业登记"),
    ("tax", "纳税"), ("water permits", "取水许可"), ("river levels", "河道水位"),
    ("air quality", "空气质量"), ("bus stops", "公交站点"), ("parking", "停车场"),
    ("schools", "学校"), ("hospitals", "医院"), ("food safety", "食品安全"),
    ("vehicles", "机动车"), ("driving licences", "驾驶证"), ("street lights", "路灯"),
    ("waste", "生活垃圾"), ("green space", "绿地"), ("construction", "建筑工程"),
    ("tenders", "招标投标"), ("budgets", "财政预算"), ("patents", "专利"),
    ("disability", "残疾人"), ("pensions", "养老金"), ("employment", "就业"),
    ("elections", "选举"), ("archives", "档案"), ("museums", "博物馆"),
]  # fmt: skip
_OF = [
    ("records", "信息"), ("statistics", "统计数据"), ("register", "名录"), ("permits", "许可证"),
    ("inspections", "检查结果"), ("monitoring", "监测数据"), ("inventory", "清单"),
    ("complaints", "投诉记录"), ("subsidies", "补贴发放"), ("penalties", "行政处罚"),
]  # fmt: skip
_WHERE = [
    (f"{name} {kind}", f"{zh}{kind_zh}")
    for name, zh in (
        ("East", "东城"), ("West", "西城"), ("South", "南山"), ("North", "北湖"),
        ("Harbour", "港口"), ("River", "江岸"), ("Old Town", "老城"), ("New", "新城"),
        ("Hill", "青山"), ("Lake", "湖滨"),
    )
    for kind, kind_zh in (("district", "区"), ("county", "县"))
]  # fmt: skip
_FORMATS = ("CSV", "JSON", "XLSX", "XML", "PDF", "GEOJSON")
_ACCESS = ("PUBLIC", "RESTRICTED", "RESTRICTED", "NON_PUBLIC")


def bodies(count: int = COUNT) -> Iterator[Body]:
    """So many descriptions."""
    chance = random.Random(172_654)  # noqa: S311 - the same each time
    themes, frequencies = sorted(THEMES), sorted(FREQUENCIES)
    for n in range(count):
        what, of, where = chance.choice(_WHAT), chance.choice(_OF), chance.choice(_WHERE)
        year = 2000 + n % 26
        other = chance.choice(_WHAT)
        form = chance.choice(_FORMATS)
        yield Body(
            Text(
                f"{what[0].capitalize()} {of[0]} of {where[0]} {year}",
                f"{where[1]}{year}年{what[1]}{of[1]}",
            ),
            Text(
                f"Number {n}: {what[0]} {of[0]} as the office of {where[0]} keeps them, "
                f"compared with {other[0]}.",
                f"编号{n}：{where[1]}主管部门掌握的{what[1]}{of[1]}，与{other[1]}核对。",
            ),
            keywords=(what[1], of[1], where[1]),
            themes=(chance.choice(themes),),
            frequency=chance.choice(frequencies),
            access=chance.choice(_ACCESS),
            contact=Contact(f"Office {n % AGENCIES}"),
            legal_basis="Regulations on public data, article 4",
            distributions=(
                Distribution(
                    "d1",
                    Text("File", "文件"),
                    form,
                    f"https://data.example/{n}",
                    licence="CC_BY_4_0",
                ),
            ),
        )


def searches(count: int) -> list[str]:
    """What people look for: words that are in few, some and many entries, no two searches alike."""
    chance = random.Random(20)  # noqa: S311 - the same each time
    found: set[str] = set()
    while len(found) < count:
        what, of, where = chance.choice(_WHAT), chance.choice(_OF), chance.choice(_WHERE)
        year = str(chance.randrange(2000, 2026))
        found.add(
            chance.choice([
                f"{what[1]}{of[1]}", f"{where[1]} {what[1]}", f"{what[1]} {year}",
                f"{what[0]} {of[0]}", f"{where[0]} {what[0]} {year}",
                f"{where[1]}{year}年{what[1]}", f"{of[1]} {where[1]} {year}",
                f"{what[1]} {of[0]} {where[0]}",
            ])
        )  # fmt: skip
    return sorted(found, key=lambda _: chance.random())

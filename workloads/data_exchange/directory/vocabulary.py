"""The controlled vocabularies of DCAT-AP 3 as the directory uses them.

Source: the authority tables of the Publications Office of the European Union, as DCAT-AP 3.0
requires them (section "Controlled vocabularies"): data-theme, frequency, access-right, file-type,
licence. A theme that is not one of them is the city's own and is written ``city:name``.
"""

import re
from collections.abc import Mapping

from foundation.kernel.text import Text

AUTHORITY = "http://publications.europa.eu/resource/authority/"
#: The city's own themes, in RDF: a namespace that nobody else uses.
CITY = "urn:borough:theme:"

THEMES: Mapping[str, Text] = {
    "AGRI": Text("Agriculture, fisheries, forestry and food", "农业、渔业、林业和食品"),
    "ECON": Text("Economy and finance", "经济与金融"),
    "EDUC": Text("Education, culture and sport", "教育、文化和体育"),
    "ENER": Text("Energy", "能源"),
    "ENVI": Text("Environment", "环境"),
    "GOVE": Text("Government and public sector", "政府与公共部门"),
    "HEAL": Text("Health", "卫生健康"),
    "INTR": Text("International issues", "国际事务"),
    "JUST": Text("Justice, legal system and public safety", "司法与公共安全"),
    "OP_DATPRO": Text("Provisional data", "暂定数据"),
    "REGI": Text("Regions and cities", "区域与城市"),
    "SOCI": Text("Population and society", "人口与社会"),
    "TECH": Text("Science and technology", "科学技术"),
    "TRAN": Text("Transport", "交通运输"),
    "city:credit": Text("Public credit", "公共信用"),
    "city:housing": Text("Housing and real estate", "住房与不动产"),
    "city:licences": Text("Electronic licences", "电子证照"),
    "city:social-aid": Text("Social aid", "社会救助"),
    "city:tax": Text("Tax", "税务"),
    "city:video": Text("Video of the city", "城市视频"),
    "city:water": Text("Water and rivers", "水务与河道"),
}

FREQUENCIES: Mapping[str, Text] = {
    "CONT": Text("continuous", "持续"),
    "UPDATE_CONT": Text("continuously updated", "持续更新"),
    "HOURLY": Text("hourly", "每小时"),
    "DAILY": Text("daily", "每日"),
    "WEEKLY": Text("weekly", "每周"),
    "MONTHLY": Text("monthly", "每月"),
    "QUARTERLY": Text("quarterly", "每季度"),
    "ANNUAL_2": Text("twice a year", "每半年"),
    "ANNUAL": Text("annual", "每年"),
    "BIENNIAL": Text("every two years", "每两年"),
    "IRREG": Text("irregular", "不定期"),
    "AS_NEEDED": Text("as needed", "按需"),
    "NEVER": Text("never", "不更新"),
    "OTHER": Text("other", "其他"),
    "UNKNOWN": Text("unknown", "未知"),
}

ACCESS: Mapping[str, Text] = {
    "PUBLIC": Text("open to everybody", "无条件开放"),
    "RESTRICTED": Text("on agreement", "有条件共享"),
    "NON_PUBLIC": Text("not shared", "不予共享"),
}

LICENCES: Mapping[str, Text] = {
    "CC0": Text("CC0 1.0", "CC0 1.0"),
    "CC_BY_4_0": Text("CC BY 4.0", "CC BY 4.0"),
    "CC_BYNC_4_0": Text("CC BY-NC 4.0", "CC BY-NC 4.0"),
    "CC_BYSA_4_0": Text("CC BY-SA 4.0", "CC BY-SA 4.0"),
    "ODC_BY": Text("ODC-BY 1.0", "ODC-BY 1.0"),
    "city:agreement": Text("by agreement only", "仅按协议使用"),
}
#: Of a licence that is none of these: where its text is.
_ADDRESS = re.compile(r"https?://[^\s<>\"{}|\\^`]{1,400}")
#: Codes of file types: the table has some 200, and others come from elsewhere.
FORMAT = re.compile(r"[A-Z0-9][A-Z0-9_+.-]{0,39}")

#: Formats that forms offer; any code of the pattern is taken.
FORMATS = (
    "CSV", "JSON", "XML", "GEOJSON", "PARQUET", "XLSX", "PDF", "ZIP", "TIFF", "SHP",
    "RTSP", "HLS", "MJPEG", "ONVIF",
)  # fmt: skip
#: Media types (IANA) of formats, for those that have one.
MEDIA_TYPES: Mapping[str, str] = {
    "CSV": "text/csv", "JSON": "application/json", "XML": "application/xml",
    "GEOJSON": "application/geo+json", "PARQUET": "application/vnd.apache.parquet",
    "XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "PDF": "application/pdf", "ZIP": "application/zip", "TIFF": "image/tiff",
    "HLS": "application/vnd.apple.mpegurl", "MJPEG": "multipart/x-mixed-replace",
}  # fmt: skip
#: Data elements' own language, for ``dct:language``.
LANGUAGES: Mapping[str, str] = {"en": "ENG", "zh": "ZHO"}

_OWN_THEME = re.compile(r"city:[a-z][a-z0-9-]{0,39}")


def is_theme(code: str) -> bool:
    """Whether it is a theme of the European table, or could be one of the city's own."""
    return code in THEMES or _OWN_THEME.fullmatch(code) is not None


def is_licence(code: str) -> bool:
    """Whether it is the code of a known licence or the address of another one."""
    return code in LICENCES or _ADDRESS.fullmatch(code) is not None


def name_of(table: Mapping[str, Text], code: str) -> Text:
    """How people call a code; the code itself when the table has none."""
    return table.get(code) or Text(code, code)

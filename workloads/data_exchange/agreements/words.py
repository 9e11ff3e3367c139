"""What terms allow, in sentences that a person can check, in English and Chinese."""

from collections.abc import Iterable
from datetime import UTC, datetime

from foundation.kernel.text import Text
from workloads.data_exchange.agreements import purposes
from workloads.data_exchange.agreements.terms import Limits, Operator, Terms
from workloads.data_exchange.directory.elements import Masking

SHOWN = {
    None: Text("in full", "完整值"),
    Masking.OMIT: Text("left out", "不提供"),
    Masking.PARTIAL: Text("with most characters hidden", "部分遮蔽"),
    Masking.GENERALISE: Text("made coarser", "概化"),
    Masking.PSEUDONYM: Text("as a pseudonym of this agreement", "本协议专用假名"),
}
_COMPARED = {
    Operator.EQ: Text("is", "等于"),
    Operator.NEQ: Text("is not", "不等于"),
    Operator.LT: Text("is below", "小于"),
    Operator.LTEQ: Text("is at most", "不大于"),
    Operator.GT: Text("is above", "大于"),
    Operator.GTEQ: Text("is at least", "不小于"),
    Operator.ANY_OF: Text("is one of", "属于"),
}
_LIMITS = {
    "calls": Text("{n} calls in all", "总计 {n} 次调用"),
    "calls_per_day": Text("{n} calls a day", "每日 {n} 次调用"),
    "calls_per_minute": Text("{n} calls a minute", "每分钟 {n} 次调用"),
    "rows": Text("{n} rows in all", "总计 {n} 行"),
    "rows_per_call": Text("{n} rows a call", "每次调用 {n} 行"),
}


def said(terms: Terms) -> list[Text]:
    """The sentences; each term is in exactly one of them."""
    return [
        Text(
            f"{terms.consumer} may read the data set {terms.dataset} of {terms.provider} through "
            f"the interface {terms.service}.",
            f"{terms.consumer} 可通过接口 {terms.service} 读取 {terms.provider} 的数据集"
            f" {terms.dataset}。",
        ),
        sentence(
            Text("For these purposes alone: {}.", "仅限以下用途：{}。"),
            [purposes.titles().get(one, Text(one, one)) for one in sorted(terms.purposes)],
        ),
        sentence(
            Text("Of each record it gets: {}; nothing else.", "每条记录仅提供：{}。"),
            [
                Text(f"{f.name} ({SHOWN[f.masking].en})", f"{f.name}（{SHOWN[f.masking].zh}）")
                for f in terms.fields
            ],
        ),
        sentence(
            Text("Only records in which {}.", "仅限满足以下条件的记录：{}。"),
            [comparison(one.pointer, one.operator, one.values) for one in terms.rows],
        )
        if terms.rows
        else Text("All records.", "全部记录。"),
        sentence(Text("At most: {}.", "上限：{}。"), limits(terms.limits))
        if limits(terms.limits)
        else Text("Without a limit of calls or rows.", "调用次数与行数不限。"),
        Text(
            f"From {_moment(terms.begins)} to {_moment(terms.ends)}, unless either side revokes "
            "it before.",
            f"自 {_moment(terms.begins)} 至 {_moment(terms.ends)}，任何一方可提前撤销。",
        ),
        Text(
            "What was received is deleted by the end of the term, and is not passed on to others.",
            "期满前须删除所获数据，且不得向他人提供。",
        ),
    ]


def sentence(frame: Text, parts: Iterable[Text]) -> Text:
    """A sentence that lists parts where its frame has braces."""
    listed = list(parts)
    return Text(
        frame.en.format(", ".join(one.en for one in listed)),
        frame.zh.format("、".join(one.zh for one in listed)),
    )


def comparison(what: str, operator: Operator, values: Iterable[object]) -> Text:
    """A condition on rows."""
    listed, how = [_value(value) for value in values], _COMPARED[operator]
    return Text(f"{what} {how.en} {', '.join(listed)}", f"{what} {how.zh} {'、'.join(listed)}")


def _value(value: object) -> str:
    return f"“{value}”" if isinstance(value, str) else str(value).lower()


def limits(given: Limits) -> list[Text]:
    """What is limited, each by itself."""
    found = []
    for name, frame in _LIMITS.items():
        most = getattr(given, name)
        if most is not None:
            found.append(Text(frame.en.format(n=f"{most:,}"), frame.zh.format(n=f"{most:,}")))
    return found


def _moment(at: datetime) -> str:
    """To the second, which is what people compare."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

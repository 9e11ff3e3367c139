"""What an offer of another participant says, in sentences, in English and Chinese.

Everything that it says is in some sentence. What our own negotiations understand
(``dataspace.policies``) is said in full; whatever else there is, is said as it is written and
marked as not understood: nothing here looks after it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from foundation.kernel.text import Text
from workloads.data_exchange.agreements import purposes, words
from workloads.data_exchange.agreements.policy import vocabulary
from workloads.data_exchange.agreements.words import sentence
from workloads.data_exchange.dataspace import policies
from workloads.data_exchange.dataspace.model import Given
from workloads.data_exchange.dataspace.policies import NotUnderstood

_LONGEST = 300
_COMPARED = {
    "eq": Text("is", "等于"), "neq": Text("is not", "不等于"), "lt": Text("is below", "小于"),
    "lteq": Text("is at most", "不大于"), "gt": Text("is above", "大于"),
    "gteq": Text("is at least", "不小于"), "isA": Text("is a kind of", "属于"),
    "isAnyOf": Text("is any of", "属于以下之一"), "isAllOf": Text("is all of", "为以下全部"),
    "isNoneOf": Text("is none of", "不属于以下任何一项"), "hasPart": Text("holds", "包含"),
    "isPartOf": Text("is a part of", "是其一部分"), "term-lteq": Text("is at most", "不大于"),
}  # fmt: skip
_JOINED = {
    "and": Text("all of these hold ({})", "以下全部成立（{}）"),
    "andSequence": Text("all of these hold, one after the other ({})", "以下依次成立（{}）"),
    "or": Text("one of these holds ({})", "以下至少一项成立（{}）"),
    "xone": Text("exactly one of these holds ({})", "以下恰有一项成立（{}）"),
}
_ATOM = frozenset({"@type", "@id", "leftOperand", "operator", "rightOperand"})
_RULE = frozenset({"@type", "@id", "action", "constraint", "duty"})
_KNOWN = frozenset({"permission", "prohibition", "obligation", "assigner"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """One of them.

    Attributes:
        understood: whether our side knows what it means and could agree on it.
    """

    text: Text
    understood: bool


def said(rules: Mapping[str, Any]) -> list[Sentence]:
    """The sentences.

    Args:
        rules: of an offer in the plain form, such as ``TheirOffer.rules`` gives.
    """
    found: list[Sentence] = []
    permissions = rules.get("permission") or ()
    if len(permissions) != 1:
        found.append(_odd(Text(
            f"It gives {len(permissions)} permissions, each with conditions of its own.",
            f"共 {len(permissions)} 项许可，各有其条件。",
        )))  # fmt: skip
    for rule in permissions:
        found += _permission(rule)
    for rule in rules.get("prohibition") or ():
        found.append(_odd(_ruled(Text("You may not {}{}.", "不得{}{}。"), rule)))
    for rule in rules.get("obligation") or ():
        found.append(_odd(_ruled(Text("You must {}{}.", "必须{}{}。"), rule)))
    return found + _besides(rules, _KNOWN)


def understood(rules: Mapping[str, Any]) -> bool:
    """Whether all that an offer says is understood."""
    return all(one.understood for one in said(rules))


def _permission(rule: Mapping[str, Any]) -> list[Sentence]:
    action = _action(rule)
    known = vocabulary.term(str(rule["action"])) == "use"
    frame = Text("You may {} the data set.", "可{}该数据集。")
    found = [Sentence(Text(frame.en.format(action.en), frame.zh.format(action.zh)), known)]
    constraints = rule.get("constraint") or ()
    if not constraints:
        found.append(Sentence(Text("Without conditions.", "无附加条件。"), understood=True))
    found += [_constraint(one) for one in constraints]
    for duty in rule.get("duty") or ():
        found.append(_odd(_ruled(Text("In return you must {}{}.", "作为交换，必须{}{}。"), duty)))
    return found + _besides(rule, _RULE)


def _constraint(one: Mapping[str, Any]) -> Sentence:
    try:
        given = policies.constraint(one)
    except NotUnderstood:
        given = None
    made = None if given is None or set(one) - _ATOM else _given(given)
    return made or _odd(_framed(Text("Only if {}.", "仅当{}。"), _clause(one)))


def _given(given: Given) -> Sentence | None:
    """What one constraint that is understood gives; None where it gives nothing."""
    if given.purposes:
        known = purposes.titles()
        named = [known.get(name, Text(name, name)) for name in sorted(given.purposes)]
        frame = Text("For these purposes alone: {}.", "仅限以下用途：{}。")
        return Sentence(sentence(frame, named), given.purposes <= set(known))
    if given.fields:
        frame = Text("Of each record you get: {}; nothing else.", "每条记录仅提供：{}。")
        return _plain(frame, [
            Text(f"{f.name} (in full)", f"{f.name}（完整值）") if f.whole
            else Text(f"{f.name} (masked)", f"{f.name}（遮蔽）")
            for f in given.fields
        ])  # fmt: skip
    if given.rows:
        frame = Text("Only records in which {}.", "仅限满足以下条件的记录：{}。")
        return _plain(frame, [words.comparison(r.name, r.operator, r.values) for r in given.rows])
    if given.days:
        n = given.days
        return Sentence(Text(f"For at most {n} days.", f"最长 {n} 天。"), understood=True)
    limits = words.limits(given.limits)
    return _plain(Text("At most: {}.", "上限：{}。"), limits) if limits else None


def _clause(one: Mapping[str, Any]) -> Text:
    parts = []
    for name, frame in _JOINED.items():
        if isinstance(one.get(name), list):
            parts.append(sentence(frame, [_clause(inner) for inner in one[name]]))
    if "leftOperand" in one:
        left = vocabulary.term(str(one["leftOperand"]))
        name = str(one.get("operator"))
        how = _COMPARED.get(vocabulary.term(name), Text(name, name))
        right = _value(one.get("rightOperand"))
        parts.append(Text(f"{left} {how.en} {right}", f"{left} {how.zh} {right}"))
    more = {k: v for k, v in one.items() if k not in _ATOM and k not in _JOINED}
    parts += [Text(_value({k: v}), _value({k: v})) for k, v in more.items()]
    return sentence(Text("{}", "{}"), parts)


def _ruled(frame: Text, rule: Mapping[str, Any]) -> Text:
    """A rule that is not a permission: what is done, and when."""
    action, when = _action(rule), [_clause(one) for one in rule.get("constraint") or ()]
    more = [Text(_value({k: v}), _value({k: v})) for k, v in rule.items() if k not in _RULE]
    parts = sentence(Text(" ({})", "（{}）"), when + more) if when or more else Text("", "")
    return Text(frame.en.format(action.en, parts.en), frame.zh.format(action.zh, parts.zh))


def _action(rule: Mapping[str, Any]) -> Text:
    name = vocabulary.term(str(rule.get("action")))
    return Text("use", "使用") if name == "use" else Text(f"“{name}”", f"“{name}”")


def _besides(said_of: Mapping[str, Any], known: Iterable[str]) -> list[Sentence]:
    """What else stands there."""
    more = {name: value for name, value in said_of.items() if name not in known}
    return [
        _odd(_framed(Text("It also says: {}.", "另有说明：{}。"), Text(_value(one), _value(one))))
        for one in ({name: value} for name, value in more.items())
    ]


def _value(value: object) -> str:
    """A value as people read it; as JSON where it is none of the simple ones."""
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value)[:_LONGEST]
    if isinstance(value, dict):
        plain = value.get("@value", value.get("@id"))
        if isinstance(plain, str | int | float) and len(value) <= len(("@value", "@type")):
            return str(plain)[:_LONGEST]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _framed(frame: Text, part: Text) -> Text:
    return Text(frame.en.format(part.en), frame.zh.format(part.zh))


def _plain(frame: Text, parts: Iterable[Text]) -> Sentence:
    return Sentence(sentence(frame, parts), understood=True)


def _odd(text: Text) -> Sentence:
    return Sentence(text, understood=False)

"""The document that an approval is of, and how two of them differ.

A plan's document holds everything that an approver decides on and nothing that moves by itself: no
time, no balance, no other people's usage. Its digest is the SHA-256 of its canonical JSON::

    {"format": 1, "order", "kind", "instance", "offering", "plan", "ends_at",
     "contract": {"id", "number", "version"},
     "tenancy", "system", "data_class",
     "provisioning": …the document of provisioning's plan…,
     "quota": {"change": {resource: amount}, "limits": [{"level", "scope", "resource", "limit"}]},
     "price": {"currency", "month", "year", "one_time", "before", "lines": […]},
     "findings": […what policies say of the price, as provisioning's findings…],
     "policy": {"slug", "version"}, "approvals": [{"slug", "role", "path"}]}
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from control_plane.provisioning.model import Finding
from control_plane.tenancy.model import QuotaLevel
from foundation.kernel import canonical
from foundation.kernel.text import Text
from marketplace.model.approval import Required
from marketplace.model.catalogue import text_from
from marketplace.model.ordering import PriceLine, PriceTag, QuotaLine

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two plans differ.

    Attributes:
        kind: ``revision``, ``input``, ``region``, ``resource``, ``preparation``, ``quota``,
            ``price``, ``usage``, ``finding``, ``contract``, ``policy`` or ``order``.
        subject: the input, resource, quota resource or meter that differs.
        before: in the approved plan; None when it was not there.
        after: in the new plan; None when it is gone.
        message: a sentence for people.
    """

    kind: str
    subject: str
    before: Any
    after: Any
    message: Text

    def document(self) -> dict[str, Any]:
        """Return it as JSON, for an error's details and for surfaces."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "before": self.before,
            "after": self.after,
            "message": self.message.as_json(),
        }


_KINDS = {
    "revision": Text("Blueprint revision", "蓝图版本"),
    "input": Text("Input", "输入参数"),
    "region": Text("Region", "区域"),
    "resource": Text("Resource", "资源"),
    "preparation": Text("Preparation of the tenancy", "租户空间准备"),
    "quota": Text("Quota", "配额"),
    "price": Text("Price", "价格"),
    "usage": Text("Use per hour", "每小时用量"),
    "finding": Text("Policy finding", "策略检查结果"),
    "contract": Text("Contract", "合同"),
    "policy": Text("Approval policy", "审批策略"),
    "order": Text("Order", "订单"),
}


def quota_limits(
    levels: Sequence[QuotaLevel], resources: Iterable[str]
) -> list[dict[str, str | None]]:
    """The limits of these resources at every level, from the root, as the document has them."""
    wanted = set(resources)
    return [
        {
            "level": level.kind,
            "scope": level.scope_id,
            "resource": quota.resource,
            "limit": None if quota.limit is None else canonical.decimal_text(quota.limit),
        }
        for level in levels
        for quota in level.quotas
        if quota.resource in wanted
    ]


def quota_lines(
    levels: Sequence[QuotaLevel], change: Mapping[str, Decimal]
) -> tuple[QuotaLine, ...]:
    """How every touched resource would stand at every level."""
    return tuple(
        QuotaLine(
            level.kind,
            level.name,
            quota.resource,
            quota.limit,
            quota.used + quota.reserved,
            change[quota.resource],
        )
        for level in levels
        for quota in level.quotas
        if change.get(quota.resource, _NOTHING)
    )


def price_document(price: PriceTag, before: Decimal) -> dict[str, Any]:
    """The price as the document has it; ``before`` is what the service costs a month now."""
    return {
        "currency": price.currency,
        "month": canonical.decimal_text(price.month.amount),
        "year": canonical.decimal_text(price.year.amount),
        "one_time": canonical.decimal_text(price.one_time.amount),
        "before": canonical.decimal_text(before),
        "lines": [canonical.plain(line) for line in price.lines],
    }


def price_from(document: Mapping[str, Any]) -> PriceTag:
    """Read the price of a plan's document again."""
    price, contract = document["price"], document["contract"]
    lines = tuple(
        PriceLine(
            line["subject"],
            line["kind"],
            line["meter"],
            line["dimensions"],
            Decimal(line["quantity"]),
            line["price_id"],
            Decimal(line["unit_price"]),
            Decimal(line["amount"]),
        )
        for line in price["lines"]
    )
    return PriceTag(contract["id"], contract["version"], price["currency"], lines)


def chain_from(document: Mapping[str, Any], names: Mapping[str, Text]) -> tuple[Required, ...]:
    """Read the approvals that a plan's document asks for; ``names`` are those of its policy."""
    return tuple(
        Required(step["slug"], names[step["slug"]], step["role"], step["path"])
        for step in document["approvals"]
    )


def quota_change(document: Mapping[str, Any]) -> dict[str, Decimal]:
    """What a plan's document takes of quota, and gives back."""
    return {name: Decimal(amount) for name, amount in document["quota"]["change"].items()}


def all_findings(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """What policies say of a plan: of its resources, then of its price."""
    return (*document["provisioning"]["findings"], *document.get("findings", ()))


def forbidding(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Those of its findings that forbid approval."""
    return tuple(f for f in all_findings(document) if Finding.read(f).blocks)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """In what two plans' documents differ, in a stable order; empty when their digests agree."""
    old, new = dict(_facts(before)), dict(_facts(after))
    return tuple(
        Difference(kind, subject, was, is_, _message(kind, subject, was, is_))
        for (kind, subject), was, is_ in (
            (key, old.get(key), new.get(key)) for key in sorted({*old, *new})
        )
        if was != is_
    )


_Fact = tuple[tuple[str, str], Any]
_STRUCTURED = frozenset(
    {"contract", "policy", "approvals", "quota", "price", "provisioning", "findings"}
)


def _facts(document: Mapping[str, Any]) -> Iterator[_Fact]:
    """Every fact of a document under (kind, subject): together they are all of it."""
    for name, value in document.items():
        if name not in _STRUCTURED:
            yield ("order", name), value
    for name, value in document["contract"].items():
        yield ("contract", name), value
    yield ("policy", "version"), document["policy"]
    for step in document["approvals"]:
        yield ("policy", f"step {step['slug']}"), step
    yield from _quota_facts(document["quota"])
    yield from _price_facts(document["price"])
    yield from _provisioning_facts(document["provisioning"])
    yield from _finding_facts(all_findings(document))


def _quota_facts(quota: Mapping[str, Any]) -> Iterator[_Fact]:
    for name, amount in quota["change"].items():
        yield ("quota", f"{name} of the order"), amount
    for limit in quota["limits"]:
        subject = f"{limit['resource']} limit of the {limit['level']} {limit['scope']}"
        yield ("quota", subject), limit["limit"] if limit["limit"] is not None else "no limit"


def _price_facts(price: Mapping[str, Any]) -> Iterator[_Fact]:
    for name in ("currency", "month", "one_time", "before"):
        yield ("price", name), price[name]
    for line in price["lines"]:
        dimensions = ", ".join(f"{k}={v}" for k, v in sorted(line["dimensions"].items()))
        subject = " ".join(p for p in (line["subject"], line["meter"], dimensions) if p)
        for name in ("unit_price", "quantity", "price_id", "kind"):
            yield ("price", f"{subject}: {name}"), line[name]


def _provisioning_facts(plan: Mapping[str, Any]) -> Iterator[_Fact]:
    blueprint = plan["blueprint"]
    yield ("revision", blueprint["name"]), f"{blueprint['version']} ({blueprint['revision']})"
    for name, value in plan["region"].items():
        yield ("region", name), value
    for name, value in plan["inputs"].items():
        yield ("input", name), value
    for change in plan["changes"]:
        yield ("resource", change["urn"]), _without(change, "urn")
    yield ("preparation", ""), plan["preparation"]
    for name in ("format", "deployment", "tenancy", "path", "action", "outputs"):
        yield ("order", f"deployment {name}"), plan.get(name)
    yield from _use_facts(plan)


def _use_facts(plan: Mapping[str, Any]) -> Iterator[_Fact]:
    for meter in plan["hourly"]:
        dimensions = ", ".join(f"{k}={v}" for k, v in sorted(meter["dimensions"].items()))
        yield ("usage", f"{meter['resource']} {meter['meter']} {dimensions}"), meter["per_hour"]
    for name in ("quota", "footprint"):
        for resource, amount in plan[name].items():
            yield ("quota", f"{resource} of the deployment ({name})"), amount


def _finding_facts(findings: Iterable[Mapping[str, Any]]) -> Iterator[_Fact]:
    """Each finding; a policy may say several things of one resource."""
    seen: dict[str, int] = {}
    for finding in findings:
        name = f"{finding['policy']} {finding['subject']}".strip()
        seen[name] = seen.get(name, 0) + 1
        yield ("finding", name if seen[name] == 1 else f"{name} ({seen[name]})"), finding


def _without(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


def _message(kind: str, subject: str, before: Any, after: Any) -> Text:  # noqa: ANN401 - JSON
    title = _KINDS[kind]
    en = f"{title.en} {subject}".strip()
    zh = f"{title.zh} {subject}".strip()
    if before is None:
        return Text(f"{en} is new: {_say(after, 'en')}", f"{zh} 新增：{_say(after, 'zh')}")
    if after is None:
        was = _say(before, "en"), _say(before, "zh")
        return Text(f"{en} is gone; it was {was[0]}", f"{zh} 已移除，原为：{was[1]}")
    return Text(
        f"{en} was {_say(before, 'en')} and is now {_say(after, 'en')}",
        f"{zh} 由 {_say(before, 'zh')} 变为 {_say(after, 'zh')}",
    )


def _waived(finding: Mapping[str, Any], language: str) -> str:
    waiver = finding.get("waiver")
    if not waiver:
        return ""
    until = waiver["ends_at"]
    return Text(f" (waived until {until})", f"（豁免至 {until}）").get(language)


_LONGEST = 200


def _say(value: Any, language: str) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping) and isinstance(value.get("message"), Mapping):
        return text_from(value["message"]).get(language) + _waived(value, language)
    if isinstance(value, Mapping) and "op" in value:
        return f"{value['op']} {value.get('name', '')}".strip()
    text = value if isinstance(value, str) else canonical.dumps(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

"""Plans side by side: in what a newer one differs, for people and for surfaces."""

from collections.abc import Iterable, Mapping
from typing import Any

from control_plane.provisioning.graph import (
    Change,
    Graph,
    Json,
    Op,
    PropertyChange,
    is_secret,
    is_unknown,
)
from control_plane.provisioning.model import Difference, DifferenceKind, Finding, Plan
from foundation.kernel.canonical import decimal_text
from foundation.kernel.text import Text

_VERBS = {
    Op.CREATE: Text("is created", "将创建"),
    Op.UPDATE: Text("is changed", "将变更"),
    Op.REPLACE: Text("is replaced", "将替换"),
    Op.DELETE: Text("is deleted", "将删除"),
    Op.SAME: Text("stays as it is", "保持不变"),
    Op.READ: Text("is read", "将读取"),
}


def difference(old: Plan, new: Plan) -> tuple[Difference, ...]:
    """In what ``new`` differs from ``old``, weightiest first; nothing for equal digests."""
    if old.digest == new.digest:
        return ()
    return (
        *_revision(old, new),
        *_region(old, new),
        *_values(DifferenceKind.INPUT, old.inputs, new.inputs, Text("The input", "输入项")),
        *_preparation(old, new),
        *changed_resources(old.changes, new.changes),
        *_values(
            DifferenceKind.QUOTA, _amounts(old.quota), _amounts(new.quota),
            Text("The quota it takes of", "所占配额"),
        ),
        *_usage(old, new),
        *changed_findings(old, new),
    )  # fmt: skip


def shown(value: Json) -> str:
    """A value in a sentence."""
    if is_secret(value):
        return "(secret)"
    if is_unknown(value):
        return "(known after it is made)"
    return "(none)" if value is None else str(value)


def _revision(old: Plan, new: Plan) -> Iterable[Difference]:
    if old.revision != new.revision:
        before, after = f"{old.blueprint} {old.version}", f"{new.blueprint} {new.version}"
        yield Difference(
            DifferenceKind.REVISION, new.blueprint, old.revision, new.revision,
            Text(f"The blueprint was {before} and is now {after}.",
                 f"蓝图由 {before} 变为 {after}。"),
        )  # fmt: skip


def _region(old: Plan, new: Plan) -> Iterable[Difference]:
    if (old.region_id, old.region) != (new.region_id, new.region):
        before, after = old.region.get("slug"), new.region.get("slug")
        yield Difference(
            DifferenceKind.REGION, str(after), dict(old.region), dict(new.region),
            Text(f"The region was {before} and is now {after}, or its facts have changed.",
                 f"资源区由 {before} 变为 {after}，或其信息已变更。"),
        )  # fmt: skip


def _values(
    kind: DifferenceKind, old: Mapping[str, Json], new: Mapping[str, Json], what: Text
) -> Iterable[Difference]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before != after:
            yield Difference(
                kind, name, before, after,
                Text(f"{what.en} {name} was {shown(before)} and is now {shown(after)}.",
                     f"{what.zh} {name} 由 {shown(before)} 变为 {shown(after)}。"),
            )  # fmt: skip


def _preparation(old: Plan, new: Plan) -> Iterable[Difference]:
    before = old.preparation.document() if old.preparation else None
    after = new.preparation.document() if new.preparation else None
    if before == after:
        return
    if after is None:
        text = Text("The tenancy is prepared in the region by now.", "租户空间已在资源区内就绪。")
    elif before is None:
        text = Text(
            "The tenancy has to be prepared in the region first.", "需先在资源区内准备租户空间。"
        )
    else:
        text = Text("The preparation of the tenancy has changed.", "租户空间的准备内容已变更。")
    yield Difference(DifferenceKind.PREPARATION, "tenancy", before, after, text)


def changed_resources(old: Iterable[Change], new: Iterable[Change]) -> tuple[Difference, ...]:
    """In what two lists of changes differ, by resource."""
    before = {c.urn: c for c in old}
    after = {c.urn: c for c in new}
    found = []
    for urn in sorted({*before, *after}):
        was, now = before.get(urn), after.get(urn)
        if was == now:
            continue
        found.append(
            Difference(
                DifferenceKind.RESOURCE,
                (now or was or _NOTHING).name,
                was.document() if was else None,
                now.document() if now else None,
                _resource_text(was, now),
            )
        )
    return tuple(found)


_NOTHING = Change("", "", "", Op.SAME)


def _resource_text(was: Change | None, now: Change | None) -> Text:
    if was is None and now is not None:
        verb = _VERBS[now.op]
        return Text(
            f"{now.name} was not in the plan and {verb.en}.",
            f"{now.name} 原不在方案中，{verb.zh}。",
        )
    if now is None and was is not None:
        verb = _VERBS[was.op]
        return Text(
            f"{was.name}: no longer {verb.en}.", f"{was.name}：不再{verb.zh.removeprefix('将')}。"
        )
    if was is None or now is None:
        return Text("", "")
    if was.op is not now.op:
        old, new = _VERBS[was.op], _VERBS[now.op]
        return Text(f"{now.name}: instead of “{old.en}” it {new.en}.",
                    f"{now.name}：由“{old.zh}”变为“{new.zh}”。")  # fmt: skip
    paths = ", ".join(sorted(_changed_paths(was.properties, now.properties)))
    return Text(f"{now.name} differs in {paths}.", f"{now.name} 的 {paths} 不同。")


def _changed_paths(old: Iterable[PropertyChange], new: Iterable[PropertyChange]) -> Iterable[str]:
    before = {p.path: p for p in old}
    after = {p.path: p for p in new}
    return [path for path in {*before, *after} if before.get(path) != after.get(path)]


def _amounts(values: Mapping[str, Any]) -> dict[str, Json]:
    return {name: decimal_text(value) for name, value in values.items()}


def _usage(old: Plan, new: Plan) -> Iterable[Difference]:
    def totals(plan: Plan) -> dict[str, Json]:
        sums: dict[str, Any] = {}
        for each in plan.hourly:
            parts = ", ".join(f"{k} {v}" for k, v in sorted(each.dimensions.items()))
            key = f"{each.meter} ({parts})" if parts else each.meter
            sums[key] = sums.get(key, 0) + each.per_hour
        return _amounts(sums)

    what = Text("The usage per hour of", "每小时用量")
    yield from _values(DifferenceKind.USAGE, totals(old), totals(new), what)


def changed_findings(old: Plan, new: Plan) -> tuple[Difference, ...]:
    """In what the findings of two plans differ, their waivers too."""
    before = {_identity(f): f for f in old.findings}
    after = {_identity(f): f for f in new.findings}
    return tuple(
        Difference(
            DifferenceKind.FINDING, key[0],
            was.document() if was else None, now.document() if now else None,
            _finding_text(was, now),
        )
        for key, was, now in ((k, before.get(k), after.get(k)) for k in {**after, **before})
        if was != now
    )  # fmt: skip


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.policy, finding.subject, finding.message.en


def _finding_text(was: Finding | None, now: Finding | None) -> Text:
    if now is None:
        gone = was.message if was else Text("", "")
        return Text(f"No longer found: {gone.en}", f"不再存在的检查结果：{gone.zh}")
    said = now.message
    if was is None:
        return Text(f"New finding: {said.en}", f"新增检查结果：{said.zh}")
    if was.waiver is not None and now.waiver is None:
        return Text(f"No waiver holds for it any more: {said.en}", f"豁免已失效：{said.zh}")
    if now.waiver is not None and now.waiver != was.waiver:
        return Text(f"Another waiver holds for it: {said.en}", f"豁免已变更：{said.zh}")
    return Text(f"It weighs otherwise: {said.en}", f"检查结果等级已变更：{said.zh}")


# What would be created by a program whose stack does not exist yet ---------------------------


def creations(graph: Graph) -> tuple[Change, ...]:
    """The changes that make everything of a graph, ordered by URN."""
    return tuple(
        Change(
            node.urn,
            node.type,
            node.logical_name,
            Op.CREATE,
            tuple(
                PropertyChange(path, None, value)
                for path, value in sorted(flat(node.inputs).items())
            ),
        )
        for node in sorted(graph.resources, key=lambda n: n.urn)
    )


def flat(value: Json | Mapping[str, Json], path: str = "") -> dict[str, Json]:
    """Leaves of JSON by dotted path; markers and empty containers are leaves."""
    leaf = is_secret(value) or is_unknown(value) or not value
    if isinstance(value, Mapping) and not leaf:
        found: dict[str, Json] = {}
        for name, item in value.items():
            found.update(flat(item, f"{path}.{name}" if path else str(name)))
        return found
    if isinstance(value, list) and not leaf:
        found = {}
        for index, item in enumerate(value):
            found.update(flat(item, f"{path}[{index}]"))
        return found
    return {path: value if not isinstance(value, Mapping) else dict(value)}


def without_stand_ins(value: Any, stand_in: str) -> Any:  # noqa: ANN401 - JSON
    """The value with what contains a stand-in, and every secret, as unknown."""
    if is_secret(value):
        return {"$secret": "unknown"}
    if isinstance(value, str) and stand_in in value:
        return {"$unknown": True}
    if isinstance(value, Mapping):
        return {name: without_stand_ins(item, stand_in) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_stand_ins(item, stand_in) for item in value]
    return value

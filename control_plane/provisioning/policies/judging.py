"""What the packs say of a graph or a price, weighed and in a stable order."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from control_plane.provisioning.model import Finding, Severity
from control_plane.provisioning.policies.checks import CATALOGUE
from control_plane.provisioning.policies.model import (
    Entry,
    Issue,
    Pack,
    Priced,
    Subject,
    Waiver,
)
from control_plane.provisioning.policies.rules import found_by

_WEIGHTS = {Severity.MANDATORY: 0, Severity.WAIVABLE: 1, Severity.ADVISORY: 2}


def judge(packs: Iterable[Pack], subject: Subject) -> tuple[Finding, ...]:
    """What packs say of a program's resources, the weightiest first.

    What several packs find alike is one finding, with the heaviest of their weights.
    """
    found = [
        finding
        for pack in packs
        if pack.concerns(subject.holder)
        for finding in _of_graph(pack, subject)
    ]
    return _weighed(found)


def judge_price(packs: Iterable[Pack], priced: Priced) -> tuple[Finding, ...]:
    """What packs say of a price, the weightiest first."""
    found = [
        finding
        for pack in packs
        if pack.concerns(priced.holder)
        for entry in pack.entries
        for finding in _entry_findings(entry, _of_price(entry, priced))
    ]
    return _weighed(found)


def waived(findings: Iterable[Finding], waivers: Iterable[Waiver]) -> tuple[Finding, ...]:
    """The findings, waivable ones with the waiver that lets them pass.

    Of several the oldest counts, so that one more changes nothing while that one holds.
    """
    ordered = sorted(waivers, key=lambda w: (w.granted_at, w.id))
    return tuple(_with_waiver(finding, ordered) for finding in findings)


def _with_waiver(finding: Finding, waivers: list[Waiver]) -> Finding:
    if finding.severity is not Severity.WAIVABLE:
        return finding
    holding = next((w for w in waivers if w.covers(finding)), None)
    return finding if holding is None else replace(finding, waiver=holding.exemption())


def _of_graph(pack: Pack, subject: Subject) -> Iterator[Finding]:
    for entry in pack.entries:
        check = CATALOGUE[entry.policy].graph
        if check is not None:
            yield from _entry_findings(entry, check(subject, entry.settings))
    for rule in pack.rules:
        for issue in found_by(rule, subject):
            yield Finding(rule.id, rule.severity, issue.subject, issue.message)


def _of_price(entry: Entry, priced: Priced) -> Iterator[Issue]:
    check = CATALOGUE[entry.policy].price
    return iter(()) if check is None else check(priced, entry.settings)


def _entry_findings(entry: Entry, issues: Iterable[Issue]) -> Iterator[Finding]:
    for issue in issues:
        yield Finding(entry.policy, entry.severity, issue.subject, issue.message)


def _weighed(found: Iterable[Finding]) -> tuple[Finding, ...]:
    heaviest: dict[tuple[str, str, str], Finding] = {}
    for finding in found:
        key = (finding.policy, finding.subject, finding.message.en)
        there = heaviest.get(key)
        if there is None or _WEIGHTS[finding.severity] < _WEIGHTS[there.severity]:
            heaviest[key] = finding
    return tuple(
        sorted(
            heaviest.values(),
            key=lambda f: (_WEIGHTS[f.severity], f.policy, f.subject, f.message.en),
        )
    )

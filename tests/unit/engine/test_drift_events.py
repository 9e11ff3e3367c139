"""What of a refresh's events is drift."""

from typing import Any

import pytest

from control_plane.adapters.pulumi.events import DriftEvents
from control_plane.provisioning.graph import DriftFinding, DriftKind

URN = "urn:pulumi:dep_1::web::openstack:networking/port:Port::port-1"


def findings(old: dict[str, Any], new: dict[str, Any] | None) -> tuple[DriftFinding, ...]:
    seen = DriftEvents()
    metadata = {
        "op": "refresh",
        "urn": URN,
        "type": "openstack:networking/port:Port",
        "old": {"custom": True, **old},
        "new": {"custom": True, **new} if new else None,
    }
    seen.take({"resOutputsEvent": {"metadata": metadata}})
    return seen.findings()


DECLARED = {"name": "shop-1", "tags": ["a=1"]}


@pytest.mark.parametrize(
    ("inputs", "outputs", "changed"),
    [
        # What the cloud adds moves by itself: a port that is attached, a volume that is in use.
        (DECLARED, {**DECLARED, "deviceId": "server-1"}, {}),
        (DECLARED, {**DECLARED, "description": ""}, {}),
        # What was declared does not, whichever side tells.
        ({**DECLARED, "name": "other"}, {**DECLARED, "name": "other"}, {"name": "other"}),
        (DECLARED, {**DECLARED, "name": "other"}, {"name": "other"}),
        (DECLARED, {**DECLARED, "tags": []}, {"tags[0]": None}),
        ({**DECLARED, "tags": ["a=1", "b=2"]}, DECLARED, {"tags[1]": "b=2"}),
    ],
)
def test_drift_is_of_what_was_declared(
    inputs: dict[str, Any], outputs: dict[str, Any], changed: dict[str, Any]
) -> None:
    old = {"inputs": DECLARED, "outputs": {**DECLARED, "deviceId": ""}}
    found = findings(old, {"inputs": inputs, "outputs": outputs})
    assert {p.path: p.after for f in found for p in f.properties} == changed
    assert {f.kind for f in found} <= {DriftKind.CHANGED}


def test_what_is_gone_is_missing() -> None:
    (found,) = findings({"inputs": DECLARED, "outputs": DECLARED}, None)
    assert (found.kind, found.name) == (DriftKind.MISSING, "port-1")

"""Packs as documents, and rules that a city writes itself."""

from collections.abc import Mapping
from typing import Any

import pytest

from control_plane.provisioning.graph import UNKNOWN, Graph, ResourceNode, secret_marker
from control_plane.provisioning.model import Severity
from control_plane.provisioning.policies import judging
from control_plane.provisioning.policies.model import Holder, Subject
from control_plane.provisioning.policies.reading import pack_from
from foundation.kernel.errors import Invalid

TEXT = {"en": "Text", "zh": "文字"}
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def document(**changed: Any) -> dict[str, Any]:
    return {"name": "own", "version": 1, "title": TEXT, "description": TEXT, **changed}


def a_rule(**changed: Any) -> dict[str, Any]:
    return {
        "name": "replicas",
        "title": TEXT,
        "message": {"en": "Too few replicas.", "zh": "副本过少。"},
        "severity": "waivable",
        "type": "kubernetes:apps/*",
        "require": [{"path": "spec.replicas", "op": "at_least", "value": 2}],
        **changed,
    }


def wrong(**changed: Any) -> set[str]:
    with pytest.raises(Invalid) as caught:
        pack_from(document(**changed))
    return {problem.field for problem in caught.value.problems}


def test_every_wrong_field_is_named() -> None:
    assert wrong(name="Own", version=0, colour="red", policies={"x": {"severity": "hard"}}) == {
        "pack.name",
        "pack.version",
        "pack.colour",
        "pack.policies.x.severity",
    }
    policies = {
        "network.unheard_of": {"severity": "advisory"},
        "network.guarded_port": {"severity": "advisory", "settings": {"ports": ["ssh"]}},
        "budget.price": {"severity": "advisory", "settings": {"monthly": {"yuan": "1"}}},
        "backups.declared": {"severity": "advisory", "settings": {"tags": "x"}},
    }
    found = wrong(policies=policies)
    assert len(found) == 4
    assert "pack.policies.network.unheard_of" in found
    assert "pack.policies.backups.declared.settings.tags" in found
    assert wrong() == {"pack"}


def test_a_rule_says_all_that_is_wrong_with_it() -> None:
    rules = [
        a_rule(
            when=[
                {"path": "a", "op": "exists", "value": 1},
                {"path": "a", "op": "in", "value": "x"},
                {"path": "a", "op": "matches", "value": [1]},
            ],
            require=[
                {"path": "a", "op": "equals"},
                {"path": "a", "op": "at_most", "value": "3"},
            ],
        ),
        a_rule(),
    ]
    assert wrong(rules=rules) == {
        "pack.rules",
        *(f"pack.rules.0.when.{n}.value" for n in range(3)),
        *(f"pack.rules.0.require.{n}.value" for n in range(2)),
    }
    assert wrong(rules=[a_rule(require=[])]) == {"pack.rules.0.require"}


def test_a_pack_of_an_older_release_is_still_read() -> None:
    policies = {
        "gone.policy": {"severity": "mandatory"},
        "backups.declared": {"severity": "mandatory", "settings": {"gone": 1}},
        "network.guarded_port": {"severity": "waivable", "settings": {"ports": ["22"]}},
    }
    read = {e.policy: e for e in pack_from(document(policies=policies), stored=True).entries}
    assert set(read) == {"backups.declared", "network.guarded_port"}
    assert read["backups.declared"].severity is Severity.MANDATORY
    assert read["backups.declared"].settings["tag"] == "borough.backup"
    assert read["network.guarded_port"].settings == {"ports": ["22"]}


def found(rule: Mapping[str, Any], inputs: Mapping[str, Any], type_: str = DEPLOYMENT) -> bool:
    node = ResourceNode("urn::x", "thing", type_, inputs)
    everything = frozenset({"public"})
    subject = Subject(Graph((node,)), Holder(), {}, everything, everything)
    findings = judging.judge([pack_from(document(rules=[rule]))], subject)
    assert all(f.policy == "rule.own.replicas" for f in findings)
    assert all(f.severity is Severity.WAIVABLE for f in findings)
    return bool(findings)


def test_a_rule_is_about_the_resources_of_its_types() -> None:
    assert found(a_rule(), {"spec": {"replicas": 1}})
    assert not found(a_rule(), {"spec": {"replicas": 2}})
    assert found(a_rule(), {})
    assert not found(a_rule(), {"spec": {"replicas": 1}}, "kubernetes:core/v1:Pod")


@pytest.mark.parametrize(
    ("condition", "inputs", "holds"),
    [
        ({"op": "exists"}, {"a": {"b": 1}}, True),
        ({"op": "exists"}, {"a": {}}, False),
        ({"op": "exists"}, {"a": {"b": None}}, False),
        ({"op": "exists"}, {"a": {"b": UNKNOWN}}, True),
        ({"op": "absent"}, {"a": {}}, True),
        ({"op": "absent"}, {"a": {"b": 0}}, False),
        ({"op": "equals", "value": "x"}, {"a": {"b": "x"}}, True),
        ({"op": "equals", "value": 1}, {"a": {"b": True}}, False),
        ({"op": "equals", "value": True}, {"a": {"b": True}}, True),
        ({"op": "equals", "value": "x"}, {}, False),
        ({"op": "equals", "value": "x"}, {"a": {"b": UNKNOWN}}, False),
        ({"op": "not_equals", "value": "x"}, {"a": {"b": "y"}}, True),
        ({"op": "not_equals", "value": "x"}, {}, True),
        ({"op": "not_equals", "value": "x"}, {"a": UNKNOWN}, False),
        ({"op": "not_equals", "value": "x"}, {"a": {"b": secret_marker("1")}}, False),
        ({"op": "in", "value": ["x", "y"]}, {"a": {"b": "y"}}, True),
        ({"op": "in", "value": ["x", "y"]}, {"a": {"b": "z"}}, False),
        ({"op": "not_in", "value": ["x"]}, {"a": {"b": "z"}}, True),
        ({"op": "matches", "value": ["w*", "v?"]}, {"a": {"b": "web"}}, True),
        ({"op": "matches", "value": ["w*"]}, {"a": {"b": 7}}, False),
        ({"op": "not_matches", "value": ["w*"]}, {"a": {"b": "web"}}, False),
        ({"op": "at_most", "value": 2}, {"a": {"b": 2}}, True),
        ({"op": "at_most", "value": 2}, {"a": {"b": 2.5}}, False),
        ({"op": "at_most", "value": 2}, {"a": {"b": "1"}}, False),
        ({"op": "at_least", "value": 2}, {"a": {"b": 3}}, True),
    ],
)
def test_what_a_condition_asks_for(
    condition: dict[str, Any],
    inputs: dict[str, Any],
    holds: bool,  # noqa: FBT001
) -> None:
    asked = {"path": "a.b", **condition}
    assert found(a_rule(require=[asked]), inputs) is not holds
    # As ``when`` it decides whether a resource is looked at; ``require`` then never holds.
    never = [{"path": "none", "op": "exists"}]
    assert found(a_rule(when=[asked], require=never), inputs) is holds


def test_when_asks_for_one_and_require_for_all() -> None:
    ports = {"ports": [{"n": 22}, {"n": 80}]}
    one = {"path": "ports.*.n", "op": "equals", "value": 22}
    assert found(a_rule(require=[one]), ports)
    assert not found(a_rule(require=[{"path": "ports.0.n", "op": "equals", "value": 22}]), ports)
    assert found(a_rule(when=[one], require=[{"path": "x", "op": "exists"}]), ports)


def test_a_name_with_a_dot_is_a_step_of_a_list() -> None:
    label = ["metadata", "labels", "borough.dev/tenancy"]
    rule = a_rule(require=[{"path": label, "op": "exists"}])
    assert not found(rule, {"metadata": {"labels": {"borough.dev/tenancy": "t"}}})
    assert found(rule, {"metadata": {"labels": {}}})

"""What the program declares."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest

from control_plane.provisioning.graph import Graph, is_secret
from control_plane.provisioning.ports import ProgramError

Evaluate = Callable[..., Graph]
SMALL: dict[str, Any] = {"size": "s", "volume_gb": 10}
PORTAL = {"name": "portal", "database": "app", "access": "owner", "credentials": [1]}


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.resources}


def test_a_primary_with_a_volume_and_backups(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("postgresql", **SMALL))
    assert {"primary", "data-primary", "service", "users", "backup", "backups"} <= nodes.keys()
    assert not {"replica", "data-replica", "service-read"} & nodes.keys()
    assert nodes["data-primary"].inputs["spec"]["resources"]["requests"] == {"storage": "10Gi"}
    assert nodes["budget"].inputs["spec"]["maxUnavailable"] == 1


def test_the_replica_waits_for_what_lets_it_follow(evaluated: Evaluate) -> None:
    graph = evaluated("postgresql", **SMALL, replica=True)
    nodes = by_name(graph)
    assert nodes["users"].urn in nodes["replica"].depends_on
    assert nodes["primary"].urn in nodes["users"].depends_on
    assert graph.outputs["read_host"] == "shop-read.health.svc"
    assert nodes["budget"].inputs["spec"]["minAvailable"] == 1


def test_every_pod_passes_restricted_pod_security(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("postgresql", **SMALL, replica=True, users=[PORTAL]))
    pods = {n: nodes[n].inputs["spec"]["template"]["spec"] for n in ("primary", "replica", "users")}
    job = nodes["backup"].inputs["spec"]["jobTemplate"]["spec"]
    pods["backup"] = job["template"]["spec"]
    for name, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for box in pod["containers"]:
            assert box["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert box["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert box["securityContext"]["allowPrivilegeEscalation"] is False, name
            assert {"cpu", "memory"} <= box["resources"]["requests"].keys(), name
    for name in ("primary", "replica"):
        box = pods[name]["containers"][0]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= box.keys()


def test_another_user_is_another_job_and_restarts_nothing(evaluated: Evaluate) -> None:
    before = by_name(evaluated("postgresql", **SMALL))
    after = by_name(evaluated("postgresql", **SMALL, users=[PORTAL]))
    changed = {name for name in after if after[name].inputs != before[name].inputs}
    assert changed == {"users", "users-sql"}


def test_a_change_of_settings_restarts_the_servers(evaluated: Evaluate) -> None:
    def started_with(**inputs: Any) -> str:
        spec = by_name(evaluated("postgresql", **{**SMALL, **inputs}))["primary"].inputs["spec"]
        return str(spec["template"]["metadata"]["annotations"]["borough.dev/started-with"])

    assert started_with() == started_with(backup_hour=3, reach="city")
    assert started_with() != started_with(size="m")


def test_no_secret_is_in_clear_and_statements_are_secret(evaluated: Evaluate) -> None:
    graph = evaluated("postgresql", **SMALL, users=[PORTAL])
    nodes = by_name(graph)
    assert is_secret(nodes["credentials"].inputs["stringData"])
    assert is_secret(nodes["users-sql"].inputs["stringData"])
    assert is_secret(graph.outputs["admin_password"])
    assert is_secret(graph.outputs["user_credentials"])
    assert graph.outputs["ca_certificate"].startswith("-----BEGIN CERTIFICATE-----")  # type: ignore[union-attr]


def test_who_may_reach_it(evaluated: Evaluate) -> None:
    own = by_name(evaluated("postgresql", **SMALL))["reach-primary"].inputs["spec"]
    assert own["ingress"] == [
        {"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 5432}]}
    ]
    all_ = by_name(evaluated("postgresql", **SMALL, reach="city"))["reach-primary"].inputs["spec"]
    assert all_["ingress"][0]["from"] == [{"namespaceSelector": {}}]


def test_backups_are_left_out_where_none_are_wanted(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("postgresql", **SMALL, backup_keep_days=0))
    assert not {"backup", "backups"} & nodes.keys()
    spec = by_name(evaluated("postgresql", **SMALL, backup_hour=3))["backup"].inputs["spec"]
    assert spec["schedule"] == "17 3 * * *"
    assert spec["concurrencyPolicy"] == "Forbid"


def test_a_user_of_a_database_that_is_not_there_is_named(evaluated: Evaluate) -> None:
    stray = {**PORTAL, "database": "elsewhere"}
    with pytest.raises(ProgramError, match="databases that there are not: elsewhere"):
        evaluated("postgresql", **SMALL, users=[stray])
    with pytest.raises(ProgramError, match="names of their own"):
        evaluated("postgresql", **SMALL, users=[PORTAL, PORTAL])


OPERATOR = {"kubernetes": {"cloudnativepg": {"snapshot_class": "fast"}, "storage_class": "ssd"}}


def test_the_operator_is_used_where_the_region_has_it(evaluated: Evaluate) -> None:
    graph = evaluated("postgresql", **SMALL, facts=OPERATOR, replica=True, backup_hour=2)
    nodes = by_name(graph)
    spec = nodes["cluster"].inputs["spec"]
    assert nodes["cluster"].type == "kubernetes:postgresql.cnpg.io/v1:Cluster"
    assert spec["instances"] == 2
    assert spec["storage"] == {"size": "10Gi", "storageClass": "ssd"}
    assert spec["backup"] == {"volumeSnapshot": {"className": "fast"}}
    assert nodes["scheduled-backup"].inputs["spec"]["schedule"] == "0 17 2 * * *"
    assert graph.outputs["host"] == "shop-rw.health.svc"
    assert graph.outputs["kept_by"] == "cloudnativepg"
    assert "primary" not in nodes
    assert nodes["cluster"].urn in nodes["users"].depends_on


def test_the_operator_needs_a_place_for_backups(evaluated: Evaluate) -> None:
    nowhere = {"kubernetes": {"cloudnativepg": {"namespace": "operators"}}}
    with pytest.raises(ProgramError, match="no place for backups"):
        evaluated("postgresql", **SMALL, facts=nowhere)
    nodes = by_name(evaluated("postgresql", **SMALL, facts=nowhere, backup_keep_days=0))
    assert "scheduled-backup" not in nodes
    store = {"endpoint": "https://objects.example", "bucket": "b", "secret": "keys"}
    facts = {"kubernetes": {"cloudnativepg": {"object_store": store}}}
    spec = by_name(evaluated("postgresql", **SMALL, facts=facts))["cluster"].inputs["spec"]
    assert spec["backup"]["barmanObjectStore"]["destinationPath"] == "s3://b/dep_1"
    assert spec["backup"]["retentionPolicy"] == "14d"


def test_a_verifier_is_what_the_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7677, section 3: the user ``user`` with the password ``pencil``."""
    from pathlib import Path  # noqa: PLC0415

    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    people = pytest.importorskip("people")
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    stored, server = people.verifier("pencil", salt).rpartition("$")[2].split(":")
    nonce = "rOprNGfwEbeRWgbNEkqO" + "%hvYDpWUa2RaTCAf" + "uxFIlj)hNlF$k0"
    message = (
        f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        f"c=biws,r={nonce}"
    ).encode()
    signature = hmac.digest(base64.b64decode(server), message, "sha256")
    assert (
        base64.b64encode(signature).decode() == "6rriTRBi23WpRR/wtup" + "+mMhUZUn/dB5nLTJRsjl95G4="
    )
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9" + "ytag9zjfMHgsqmmiz7AndVQ=")
    client = bytes(
        a ^ b
        for a, b in zip(
            proof, hmac.digest(base64.b64decode(stored), message, "sha256"), strict=True
        )
    )
    assert hashlib.sha256(client).digest() == base64.b64decode(stored)

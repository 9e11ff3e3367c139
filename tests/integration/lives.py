"""Lives of blueprints on real clouds: what a life is, what it is lived in, and how long it took."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import kubernetes

from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.graph import ApplyResult, ApplyState, Op, Preview
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.ports import (
    DeploymentContext,
    Limits,
    Program,
    RegionAccess,
    Run,
    StackRef,
)

ROOT = Path(__file__).resolve().parents[2]
PHASES = ("create", "change", "replace", "drift", "destroy")
_PATIENCE = 90.0
_SEED = "integration-seed-".ljust(40, "x")


@dataclass(frozen=True)
class Clouds:
    """The region as its operators see it, and the tenancy that is prepared there.

    Attributes:
        openstack: a ``Connection`` of openstacksdk, as the administrator.
        kube: an ``ApiClient`` of kubernetes, as the administrator.
        project: the tenancy's OpenStack project.
        user: its user's name.
        namespace: its namespace in Kubernetes.
    """

    openstack: Any
    kube: Any
    project: str
    user: str
    namespace: str

    def inside(self) -> frozenset[str]:
        """Everything that stands in the tenancy, by kind and name."""
        return frozenset((*self._in_openstack(), *self._in_kubernetes()))

    def _in_openstack(self) -> Iterator[str]:
        cloud, mine = self.openstack, {"project_id": self.project}
        listings: Mapping[str, Any] = {
            "server": cloud.compute.servers(all_projects=True, **mine),
            "server group": cloud.compute.server_groups(all_projects=True),
            "volume": cloud.block_storage.volumes(all_projects=True, **mine),
            "port": cloud.network.ports(**mine),
            "address": cloud.network.ips(**mine),
            "security group": cloud.network.security_groups(**mine),
            "balancer": cloud.load_balancer.load_balancers(**mine),
        }
        for kind, found in listings.items():
            for each in found:
                if getattr(each, "project_id", self.project) == self.project:
                    yield f"{kind} {each.name or each.id}"
        user = cloud.identity.find_user(self.user)
        for key in cloud.compute.keypairs(user_id=user.id) if user else ():
            yield f"key {key.name}"

    def _in_kubernetes(self) -> Iterator[str]:
        core = kubernetes.client.CoreV1Api(self.kube)
        apps = kubernetes.client.AppsV1Api(self.kube)
        batch = kubernetes.client.BatchV1Api(self.kube)
        network = kubernetes.client.NetworkingV1Api(self.kube)
        listings: Mapping[str, Callable[[str], Any]] = {
            "deployment": apps.list_namespaced_deployment,
            "stateful set": apps.list_namespaced_stateful_set,
            "job": batch.list_namespaced_job,
            "cron job": batch.list_namespaced_cron_job,
            "service": core.list_namespaced_service,
            "claim": core.list_namespaced_persistent_volume_claim,
            "config map": core.list_namespaced_config_map,
            "secret": core.list_namespaced_secret,
            "account": core.list_namespaced_service_account,
            "pod": core.list_namespaced_pod,
            "network policy": network.list_namespaced_network_policy,
            "ingress": network.list_namespaced_ingress,
            "disruption budget": kubernetes.client.PolicyV1Api(
                self.kube
            ).list_namespaced_pod_disruption_budget,
            "autoscaler": kubernetes.client.AutoscalingV2Api(
                self.kube
            ).list_namespaced_horizontal_pod_autoscaler,
            "role": kubernetes.client.RbacAuthorizationV1Api(self.kube).list_namespaced_role,
            "quota": core.list_namespaced_resource_quota,
        }
        for kind, listing in listings.items():
            for each in listing(self.namespace).items:
                yield f"{kind} {each.metadata.name}"
        chosen = f"borough.dev/tenancy={self.namespace}"
        namespaces: Any = core.list_namespace(label_selector=chosen)
        for each in namespaces.items:
            yield f"namespace {each.metadata.name}"


@dataclass(frozen=True)
class Deployed:
    """One deployment in the middle of its life, as checks and tampering see it."""

    clouds: Clouds
    run: Run
    made: ApplyResult

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What it exported."""
        return self.made.outputs

    @property
    def name(self) -> str:
        """What the deployment's resources are called after."""
        return self.run.deployment.name

    def id(self, logical: str) -> str:
        """The physical id of a resource by its logical name."""
        (found,) = [o.physical_id for o in self.made.outcomes if o.name == logical]
        return found


Act = Callable[[Deployed], None]


@dataclass(frozen=True)
class Life:
    """What one blueprint goes through; inputs of a phase are put over those before it.

    Attributes:
        create, change, replace: the inputs; ``change`` may replace nothing.
        changes, replaces: what the preview of the phase shows, by logical name: exactly, but that
            names which end in ``*`` stand for all that begin so (and there is one at least).
        tamper: what somebody does to it in the clouds behind the platform's back.
        drifts: logical names in which a refresh must find that.
        created, changed: looks at the clouds after the phase.
        lacks: what of the blueprint the devcloud cannot show; it is printed as skipped.
        no_replace: why there is nothing that replaces, when that is so.
    """

    blueprint: str
    create: Mapping[str, Any]
    change: Mapping[str, Any]
    changes: Mapping[str, str]
    tamper: Act
    drifts: frozenset[str]
    replace: Mapping[str, Any] = field(default_factory=dict)
    replaces: Mapping[str, str] = field(default_factory=dict)
    created: Act | None = None
    changed: Act | None = None
    lacks: str = ""
    no_replace: str = ""


@dataclass(frozen=True)
class Phase:
    """How one phase went."""

    blueprint: str
    phase: str
    seconds: float
    resources: int


RECORDS: list[Phase] = []
"""Every phase that was lived in this run of the tests."""
LACKS: dict[str, str] = {}
"""What could not be shown, by blueprint."""


def table() -> list[str]:
    """The phases as lines of a table: seconds, and how many resources the phase touched."""
    rows = ["".join([f"{'blueprint':<24}", *(f"{phase:>16}" for phase in PHASES)])]
    for blueprint in dict.fromkeys(r.blueprint for r in RECORDS):
        mine = {r.phase: r for r in RECORDS if r.blueprint == blueprint}
        cells = [
            f"{mine[p].seconds:>8.1f} s {mine[p].resources:>4} r" if p in mine else f"{'–':>16}"
            for p in PHASES
        ]
        rows.append("".join([f"{blueprint:<24}", *cells]))
    total = sum(r.seconds for r in RECORDS)
    rows.append(
        f"{'all':<24}{total:>8.1f} s; r: resources that the phase touched; several are led at once"
    )
    rows += [f"SKIPPED: {name}: {what}" for name, what in LACKS.items()]
    return rows


def make_run(
    blueprint: str,
    name: str,
    region: RegionAccess,
    inputs: Mapping[str, Any],
    tenancy: ApplyResult | None = None,
    *,
    of: str = "",
) -> Run:
    """A run of a bundled blueprint: what the platform would tell the engine.

    Args:
        blueprint: folder below ``blueprints``.
        name: the deployment's.
        region: where.
        inputs: defaults are put in.
        tenancy: how the tenancy that it goes into was made; None for the tenancy itself.
        of: the tenancy's name, when it is not the deployment's.
    """
    folder = ROOT / "blueprints" / blueprint
    deployment = f"dep_{name.replace('-', '_')}"
    return Run(
        stack=StackRef(deployment, blueprint, deployment),
        program=Program(folder, "sha256:integration"),
        inputs=checked(_schema(folder), inputs),
        region=region,
        deployment=DeploymentContext(
            deployment,
            name,
            of or name,
            {"department": "health"},
            _SEED,
            dict(tenancy.outputs) if tenancy else {},
            dict(tenancy.secret_outputs) if tenancy else {},
        ),
        limits=Limits(operation_seconds=600),
    )


def _schema(folder: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - only here

    found: dict[str, Any] = yaml.safe_load((folder / "blueprint.yaml").read_text("utf-8"))["inputs"]
    return found


def yes(_preview: Preview) -> None:
    """Confirm whatever it is."""


def succeeded(result: ApplyResult) -> ApplyResult:
    """The result of an operation that must have gone well."""
    assert result.state is ApplyState.SUCCEEDED, result.error
    return result


def ops(preview: Preview) -> dict[str, str]:
    """What a preview would do, by logical name; two things of one name are joined by ``+``."""
    found: dict[str, set[str]] = {}
    for change in preview.effective:
        found.setdefault(change.name, set()).add(change.op.value)
    return {name: "+".join(sorted(each)) for name, each in found.items()}


def eventually(found: Callable[[], object], seconds: float = _PATIENCE) -> bool:
    """Whether something becomes true: clouds finish deletions in their own time."""
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


class Living:
    """Leads one blueprint through its life, phase by phase, and writes down how long each took."""

    def __init__(self, engine: PulumiEngine, life: Life, run: Run, clouds: Clouds | None) -> None:
        self._engine = engine
        self._life = life
        self._run = run
        self._clouds = clouds
        self.made: ApplyResult | None = None

    @property
    def run(self) -> Run:
        """The run with the inputs of the last phase."""
        return self._run

    def at(self, clouds: Clouds) -> None:
        """Say where it is, when that was not known before it was created."""
        self._clouds = clouds

    def create(self) -> ApplyResult:
        """It is made, and a second look finds nothing to do."""
        with self._timed("create") as touched:
            touched[:] = self._apply({}, None)
        again = ops(self._engine.preview(self._run))
        assert again == {}, again
        return self._result

    def look(self, act: Act | None) -> None:
        """Look at the clouds."""
        if act is not None:
            act(self._deployed)

    def change(self) -> None:
        """Another wish that changes it where it stands."""
        assert "replace" not in self._life.changes.values()
        with self._timed("change") as touched:
            touched[:] = self._apply(self._life.change, self._life.changes)
        self.look(self._life.changed)

    def replace(self) -> None:
        """Another wish that cannot be had without making something anew."""
        if self._life.no_replace:
            LACKS[f"{self._life.blueprint} (replace)"] = self._life.no_replace
            return
        assert set(self._life.replaces.values()) & {"replace", "delete"}
        before = {o.name: o.physical_id for o in self._result.outcomes}
        with self._timed("replace") as touched:
            touched[:] = self._apply(self._life.replace, self._life.replaces)
        after = {o.name: o.physical_id for o in self._result.outcomes}
        for name, op in self._life.replaces.items():
            if op == "replace" and not name.endswith("*"):
                assert after[name] != before[name], name

    def drift(self) -> None:
        """Somebody changes it in the clouds; it is found, and repaired."""
        self._life.tamper(self._deployed)
        with self._timed("drift") as touched:
            findings = self._engine.refresh(self._run)
            found = {f.name for f in findings}
            assert found == self._life.drifts, findings
            touched[:] = self._apply({}, None, refresh=True)
        left = self._engine.refresh(self._run)
        assert left == (), left

    def destroy(self) -> None:
        """It is returned."""
        with self._timed("destroy") as touched:
            gone = succeeded(self._engine.destroy(self._run))
            touched[:] = [o.name for o in gone.outcomes]
        self.made = None

    def abandon(self) -> None:
        """Return what a failed test left; nothing when it was returned already."""
        self._engine.recover(self._run)
        gone = self._engine.destroy(self._run)
        assert gone.state is ApplyState.SUCCEEDED, gone.error

    @property
    def _result(self) -> ApplyResult:
        assert self.made is not None
        return self.made

    @property
    def _deployed(self) -> Deployed:
        assert self._clouds is not None
        return Deployed(self._clouds, self._run, self._result)

    def _apply(
        self, inputs: Mapping[str, Any], shown: Mapping[str, str] | None, *, refresh: bool = False
    ) -> list[str]:
        full = {**self._run.inputs, **inputs}
        self._run = replace(self._run, inputs=checked(_schema(self._run.program.path), full))
        previews: list[Preview] = []
        result = self._engine.apply(self._run, confirm=previews.append, refresh=refresh)
        self.made = succeeded(result)
        done = ops(previews[0])
        if shown is not None:
            assert folded(done, shown) == dict(shown), done
        # A reading is no touch.
        reading = {c.name for c in previews[0].effective if c.op is Op.READ}
        return [name for name in done if name not in reading]

    @contextmanager
    def _timed(self, phase: str) -> Iterator[list[str]]:
        touched: list[str] = []
        begin = time.monotonic()
        yield touched
        seconds = time.monotonic() - begin
        RECORDS.append(Phase(self._life.blueprint, phase, seconds, len(touched)))


def folded(done: Mapping[str, str], shown: Mapping[str, str]) -> dict[str, str]:
    """What was done, with names that a pattern of ``shown`` stands for folded into it."""
    found: dict[str, str] = {}
    for name, op in done.items():
        patterns = [p for p in shown if p.endswith("*") and name.startswith(p[:-1])]
        fits = [p for p in patterns if shown[p] == op]
        found[fits[0] if fits else name] = op
    return found

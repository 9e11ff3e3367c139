"""One of each kind of thing, for the test of authorisation.

A new feature adds its things to ``make``: the id under the noun of their addresses in ``ids``, into
``owned`` when only their department may know of them, and to ``bodies`` what a request needs.
"""

import base64
import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from control_plane.adapters.embedded.region import SimulatedRegion
from control_plane.adapters.shiftable_clock import ShiftableClock
from control_plane.bootstrap import Platform
from control_plane.demonstration.files import load_city
from control_plane.demonstration.model import City
from control_plane.entrypoints.demo.loader import load
from control_plane.provisioning.bindings.model import Binding, BindingState
from control_plane.provisioning.bindings.store import PostgresBindings
from control_plane.provisioning.campaigns.jobs import handlers as campaign_handlers
from control_plane.provisioning.campaigns.model import Campaign
from control_plane.provisioning.campaigns.service import Wish as CampaignWish
from control_plane.provisioning.playbooks.model import Host, Run, RunState
from control_plane.provisioning.playbooks.store import PostgresRuns
from control_plane.provisioning.policies.model import WaiverRequest
from control_plane.provisioning.registry.jobs import handlers as registry_handlers
from control_plane.provisioning.registry.model import Origin
from control_plane.provisioning.registry.store import PostgresRegistry
from control_plane.tenancy.migration.service import Claim
from foundation.access.workload_identity.service import RuleWish
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from foundation.operations.model import Operation
from marketplace.jobs import handlers
from marketplace.model import Wish
from tests.architecture.harness import PASSWORD, Things

#: The department that owns the things, and another one.
A, B = "/city/health/", "/city/education/"
#: Actions that only services ask for: there is no endpoint for them yet.
ASKED_BY_SERVICES = frozenset({"meter.manage"})
#: The kinds of things that belong to a department.
KINDS = (
    "contracts", "deployments", "drift", "grants", "operations", "orders", "organisations",
    "playbook-runs", "people", "plans", "resources", "service-accounts", "services",
    "statement-lines", "statements", "systems", "tenancies", "tokens", "identity-rules", "waivers",
)  # fmt: skip

_SYSTEM = Actor.system("test")
_ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a migrated database for the length of a module."""
    name = ids.new("test")
    admin = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE borough STRATEGY FILE_COPY")
    yield postgres.url(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class _Now:
    """A context that does each step at once; no worker is needed."""

    def __init__(self, operation: Operation) -> None:
        self.operation_id = operation.id
        self.subject = operation.subject
        self.inputs = operation.inputs

    def step(self, _name: str, work: Any, **_: Any) -> Any:
        return work()

    cleanup = step

    def emit(self, _type: str, _data: Mapping[str, Any] | None = None) -> None: ...

    def progress(self, _fraction: float) -> None: ...

    def cancelled(self) -> bool:
        return False


class _Maker:
    """Makes the things, one after another, as people would."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.requester, self.secret = self._account("health.requester")
        self.approver, _ = self._account("finance.approver")

    def _account(self, login: str) -> tuple[Actor, str]:
        gate = self.platform.gate
        _, secret = gate.token_by_password(login, f"{login}-demo-only", address="test", name="test")
        return gate.by_token(secret)[0], secret

    def order(self) -> tuple[str, Operation]:
        """An order that was carried out, and the operation that did."""
        market = self.platform.marketplace
        story = load_city().story.orders[0]
        order = market.create_order(
            self.requester,
            Wish(
                offering=story.offering,
                plan=story.plan,
                tenancy=story.tenancy,
                region=story.region,
                name=story.name,
                inputs=dict(story.inputs),
                justification="for the test",
            ),
        )
        self._run(market.submit(self.requester, order.id))
        plan = market.order_plan(self.requester, order.id)
        market.approve(self.approver, order.id, plan.digest)
        operation = self._newest_operation(order.id)
        self._run(operation)
        return order.id, operation

    def _newest_operation(self, subject: str) -> Operation:
        page = self.platform.operations.list(_SYSTEM, PageRequest(limit=50))
        return next(found for found in page.items if found.subject == subject)

    def _run(self, operation: Operation) -> None:
        handlers(self.platform.marketplace)[operation.kind].run(_Now(operation))

    def statement(self) -> tuple[str, str]:
        """A statement with a line: some hours pass, usage is collected and rated."""
        clock = self.platform.clock
        assert isinstance(clock, ShiftableClock)
        clock.shift_to(clock.now() + timedelta(hours=3))
        self.platform.metering.collect_all()
        period = (clock.now() - timedelta(hours=1)).strftime("%Y-%m")
        self.platform.billing.rate(period)
        heads = self.platform.billing.statements(_SYSTEM)
        statement = self.platform.billing.statement(
            _SYSTEM, next(head.id for head in heads if head.path == A)
        )
        return statement.head.id, statement.lines[0].id

    def registry(self, now: datetime) -> str:
        """A deprecated blueprint and a report on it; answers the id of a source."""
        self.platform.provisioning.deprecate(
            _SYSTEM, "web-application", ends_at=now + timedelta(days=90)
        )
        asked = self.platform.registry.request_impact(_SYSTEM, "web-application")
        registry_handlers(self.platform.registry)[asked.kind].run(_Now(asked))
        made = self.platform.registry.add_source(
            _SYSTEM, slug="city", url="https://git.city.example/blueprints"
        )
        revision = self.platform.provisioning.find_revision("web-application")
        origin = Origin(revision.digest, "city", made.url, "0" * 40, "", "", now)
        with self.platform.database.transaction():
            PostgresRegistry(self.platform.database).add_origin(origin)
        return made.id

    def campaign(self) -> Campaign:
        """A campaign that waits for approval."""
        files = {name: base64.b64decode(data) for name, data in _files("web-application").items()}
        version = self.platform.provisioning.find_revision("web-application").version
        newer = ".".join([*version.split(".")[:2], "99"])
        text = files["blueprint.yaml"].replace(
            f"version: {version}".encode(), f"version: {newer}".encode()
        )
        self.platform.provisioning.publish(_SYSTEM, {**files, "blueprint.yaml": text})
        campaigns = self.platform.campaigns
        made = campaigns.create(_SYSTEM, CampaignWish("Test", "web-application"))
        planning = self.platform.operations.get(_SYSTEM, made.operation)
        campaign_handlers(campaigns)[planning.kind].run(_Now(planning))
        return made

    def quarantined(self) -> str:
        """A usage event of a resource that nobody knows."""
        self.platform.metering.ingest(_SYSTEM, [_event("nothing-known", "evt-unknown")])
        return self.platform.metering.quarantine(_SYSTEM, PageRequest()).items[0].id


def make(platform: Platform) -> tuple[Things, str]:
    """The demonstration city with one of each kind of thing of A; and the requester's token."""
    clock = platform.clock
    assert isinstance(clock, ShiftableClock)
    # The middle of a month: hours that pass stay in it.
    now = datetime(2026, 11, 16, 9, 30, tzinfo=UTC)
    clock.shift_to(now)
    city = load_city()
    for _ in load(platform, city, now):
        pass
    maker = _Maker(platform)
    order, operation = maker.order()
    statement, line = maker.statement()
    market = platform.marketplace
    instance = market.instances(_SYSTEM, PageRequest()).items[0]
    resource = next(
        r
        for r in platform.provisioning.resources(_SYSTEM, instance.deployment_id)
        if "server.instance_hours" in canonical.dumps(r.hourly)
    )
    organisation = platform.tenancy.organisation(_SYSTEM, A)
    tenancy = platform.tenancy.tenancy(_SYSTEM, "health-production")
    system = next(
        s for s in platform.tenancy.systems(_SYSTEM, PageRequest(limit=200)).items if s.path == A
    )
    person = platform.people.create_person(
        _SYSTEM, login="hans", name="Hans", path=A, password=PASSWORD
    )
    grant = platform.people.grant(_SYSTEM, principal_id=person.id, role="member", path=A)
    robot = platform.people.create_service_account(_SYSTEM, login="robot", name="R", path=A)
    token, _ = platform.gate.create_token(_SYSTEM, name="t", principal_id=robot.id)
    issuer, rule = _workload(platform)
    drifted = _drifted(platform, instance.deployment_id, resource.urn)
    bound = _bound(platform, instance.deployment_id, now)
    handmade = _handmade(platform)
    order_plan = market.order_plan(_SYSTEM, order)
    contract = next(
        view.contract
        for view in market.contracts(_SYSTEM, PageRequest(limit=200)).items
        if view.contract.path == A
    )
    revision = platform.provisioning.revision(_SYSTEM, "web-application")
    source = maker.registry(now)
    campaign = maker.campaign()
    names = {
        "approvals": order,
        "bindings": bound,
        "blueprint-sources": source,
        "campaigns": campaign.id,
        "blueprints": "web-application",
        "catalogue": "web-application",
        "categories": city.categories[0].slug,
        "contracts": contract.id,
        "deployments": instance.deployment_id,
        "drift": drifted,
        "frameworks": city.frameworks[0].number,
        "imports": handmade,
        "projects": handmade,
        "identity-issuers": issuer,
        "identity-rules": rule,
        "issuers": issuer,
        "rules": rule,
        "grants": grant.id,
        "offerings": "web-application",
        "operations": operation.id,
        "orders": order,
        "organisations": organisation.id,
        "people": person.id,
        "playbooks": "base-hardening",
        "playbook-runs": _playbook_run(platform, instance.deployment_id, now),
        "servers": "server-1",
        "plans": order_plan.provisioning_plan,
        "price-books": city.price_books[0].slug,
        "regions": "east",
        "resources": resource.id,
        "revisions": revision.version,
        "service-accounts": robot.id,
        "services": instance.id,
        "statement-lines": line,
        "statements": statement,
        "systems": system.id,
        "tenancies": tenancy.id,
        "tokens": token.id,
        "waves": _moved(platform, system.id),
        "policies": "network.guarded_port",
        "policy-packs": "city",
        "packs": "city",
        "waivers": _waiver(platform, tenancy.id, person.id, now),
        "usage-quarantine": maker.quarantined(),
    }
    owned = frozenset(names[kind] for kind in KINDS)
    region = platform.provisioning.region(_SYSTEM, "east").id
    framework = city.frameworks[0].number
    bodies = _bodies(names, order_plan.digest, framework, instance.name, region)
    bodies |= _catalogue(platform, city)
    _, _, approval = platform.campaigns.campaign(_SYSTEM, campaign.id)
    bodies["POST /api/v1/campaigns/<campaign_id>/approve"] = {"digest": approval}
    bodies["POST /campaigns/<id>/approve"] = {"digest": approval}
    types = {"POST /api/v1/usage-events": "application/cloudevents+json"}
    return Things(names, owned, bodies, _queries(), types), maker.secret


def _moved(platform: Platform, system: str) -> str:
    """A wave, and department A's system as far as it can be verified; answers the wave."""
    title, first, last = Text("Test", "测试"), date(2026, 12, 1), date(2026, 12, 31)
    wave = platform.migration.put_wave(_SYSTEM, "test-wave", title=title, start=first, due=last)
    following = {
        "open": "planned", "exempt": "planned", "planned": "in_progress",
        "in_progress": "moved", "verified": "moved",
    }  # fmt: skip
    state = platform.migration.journey(_SYSTEM, system)[0].state.value
    while state != "moved":
        state = following[state]
        claim = Claim(state, "for the test", ["https://proof.example/1"])
        platform.migration.step(_SYSTEM, system, claim)
    return wave.slug


def _waiver(platform: Platform, tenancy: str, owner: str, now: datetime) -> str:
    """A waiver for department A's tenancy."""
    wanted = WaiverRequest(
        "budget.price", owner, "for the test", now + timedelta(days=30), tenancy=tenancy
    )
    return platform.policies.waive(_SYSTEM, wanted).id


def _pack(name: str) -> dict[str, Any]:
    text = {"en": "Test", "zh": "测试"}
    policies = {"backups.declared": {"severity": "advisory"}}
    return {"name": name, "version": 1, "title": text, "description": text, "policies": policies}


def _workload(platform: Platform) -> tuple[str, str]:
    """A trusted issuer, and a rule of department A for its workloads."""
    issuer = platform.identity.add_issuer(
        _SYSTEM, slug="ci", url="https://ci.example", audience="borough"
    )
    wish = RuleWish("ci-rule", issuer.id, {"project": "health/app"}, A, ("member",))
    return issuer.id, platform.identity.add_rule(_SYSTEM, wish).id


def _bound(platform: Platform, deployment: str, at: datetime) -> str:
    """A binding whose first credential nobody was shown yet."""
    there = platform.provisioning.deployment(_SYSTEM, deployment)
    made = Binding(
        ids.new("bnd"), there.id, there.tenancy_id, there.path, "portal", "app", "owner",
        BindingState.ACTIVE, (1,), (1,), 1, 0, 0, None, "", "", "Hans", at, at, None,
    )  # fmt: skip
    with platform.database.transaction():
        PostgresBindings(platform.database).put(made)
    return made.id


def _playbook_run(platform: Platform, deployment: str, at: datetime) -> str:
    """A run that waits for approval, and a way in to the servers of its tenancy."""
    there = platform.provisioning.deployment(_SYSTEM, deployment)
    platform.playbooks.set_access(_SYSTEM, there.tenancy_id, user="debian")
    made = Run(
        ids.new("pbr"), there.id, there.tenancy_id, there.path, "patching", "sha256:0", {}, False,
        ("rest",), 60, "", "sha256:0", RunState.WAITING, "", "", "", "Hans", at,
    )  # fmt: skip
    host = Host(made.id, "server-1", "a", "192.0.2.1", "debian", 22, 0)
    with platform.database.transaction():
        PostgresRuns(platform.database).add(made, [host], None)
    return made.id


def _handmade(platform: Platform) -> str:
    """A project in the simulated region that nobody owns."""
    type_ = "openstack:identity/project:Project"
    return platform.make_by_hand("east", type_, {"name": "by-hand"}, "")


def _drifted(platform: Platform, deployment: str, urn: str) -> str:
    """A finding: somebody changed a label by hand, and a look found it."""
    region = SimulatedRegion(platform.database, platform.clock)
    region.tamper(deployment, urn, "metadata.colour", "green")
    platform.drift.look(deployment)
    found = platform.drift.findings(_SYSTEM, PageRequest()).items
    return next(f.id for f in found if f.deployment_id == deployment)


def _bodies(
    names: Mapping[str, str], digest: str, framework: str, service: str, region: str
) -> dict[str, Any]:
    text = {"en": "Test", "zh": "测试"}
    return {
        "POST /api/v1/organisations": {
            "parent": A,
            "slug": "test-office",
            "name": text,
            "kind": "office",
        },
        "PATCH /api/v1/organisations/<organisation_id>/quota": {"limits": {"vcpus": "100"}},
        "POST /api/v1/systems": {
            "organisation": A,
            "slug": "test",
            "name": text,
            "data_class": "internal",
        },
        "POST /api/v1/tenancies": {
            "organisation": A,
            "slug": "test",
            "name": text,
            "data_class": "internal",
        },
        "PATCH /api/v1/tenancies/<tenancy_id>/quota": {"limits": {"vcpus": "10"}},
        "POST /api/v1/people": {"login": "new", "name": "New", "path": A},
        "PATCH /api/v1/people/<principal_id>": {"name": "Other"},
        "PUT /api/v1/people/<principal_id>/password": {"password": "another long phrase"},
        "POST /api/v1/service-accounts": {"login": "new", "name": "New", "path": A},
        "PATCH /api/v1/service-accounts/<principal_id>": {"name": "Other"},
        "POST /api/v1/grants": {
            "principal_id": names["service-accounts"],
            "role": "member",
            "path": A,
        },
        "POST /api/v1/identity-issuers": {
            "slug": "other",
            "url": "https://other.example",
            "audience": "borough",
        },
        "POST /api/v1/identity-rules": {
            "slug": "other-rule",
            "issuer": "ci",
            "match": {"project": "health/other"},
            "path": A,
            "roles": ["member"],
        },
        "POST /identity/issuers": {
            "new.slug": "other",
            "new.url": "https://other.example",
            "new.audience": "borough",
        },
        "POST /identity/issuers/<issuer_id>/remove": {"name": "ci"},
        "POST /identity/rules": {
            "slug": "other-rule",
            "issuer": "ci",
            "match": "project=health/other",
            "path": A,
            "roles": "member",
            "minutes": "15",
        },
        "POST /identity/rules/<rule_id>/remove": {"name": "ci-rule"},
        "POST /api/v1/tokens": {"name": "t", "principal_id": names["service-accounts"]},
        "POST /api/v1/regions": {
            "slug": "west",
            "title": text,
            "kinds": ["openstack"],
            "engine": "embedded",
        },
        "POST /api/v1/blueprints": {"files": _files("web-application")},
        "POST /api/v1/blueprint-validations": {"files": _files("web-application")},
        "POST /api/v1/blueprint-reviews": {"files": _files("web-application")},
        "PUT /api/v1/migration/waves/<slug>": {
            "title": text,
            "start": "2026-12-01",
            "due": "2026-12-31",
        },
        "PUT /api/v1/migration/targets": {
            "organisation": A,
            "targets": [{"due": "2027-06-30", "percent": "80"}],
        },
        "PUT /api/v1/systems/<system_id>/migration": {"wave": "test-wave"},
        "POST /api/v1/systems/<system_id>/migration/steps": {"to": "in_progress", "note": "back"},
        "POST /api/v1/systems/<system_id>/migration/verification": {
            "note": "it answers",
            "evidence": ["https://proof.example/2"],
        },
        "POST /migration/systems/<id>": {"to": "in_progress", "note": "back"},
        "POST /api/v1/placements": {
            "blueprint": "web-application",
            "tenancy": names["tenancies"],
        },
        "POST /api/v1/regions/<region_id>/close": {"state": "cordoned", "reason": "test"},
        "POST /regions/<id>/close": {"state": "cordoned", "reason": "test"},
        "POST /api/v1/policy-packs": {"pack": _pack("test")},
        "POST /api/v1/policy-tests": {"files": _files("web-application"), "path": A},
        "POST /api/v1/waivers": {
            "policy": "budget.price",
            "tenancy": names["tenancies"],
            "owner": names["people"],
            "reason": "test",
            "ends_at": "2027-01-01T00:00:00Z",
        },
        "POST /api/v1/waivers/<waiver_id>/revoke": {"reason": "test"},
        "POST /policies/packs/<name>/switch": {"enabled": "1"},
        "POST /waivers/new": {
            "policy": "budget.price",
            "kind": "tenancy",
            "subject": names["tenancies"],
            "owner": names["people"],
            "reason": "test",
            "ends_on": "2027-01-01",
            "confirmed": "yes",
        },
        "POST /waivers/<id>/revoke": {"reason": "test"},
        "POST /api/v1/campaigns": {"title": "Another", "blueprint": "web-application"},
        "POST /campaigns": {"title": "Other", "blueprint": "web-application", "waves": "rest"},
        "POST /api/v1/blueprint-sources": {"slug": "other", "url": "https://git.example/x"},
        "POST /blueprint-sources": {
            "slug": "other",
            "url": "https://git.example/x",
            "kind": "branch",
            "reference": "main",
        },
        "POST /api/v1/blueprints/<name>/deprecate": {"ends_at": "2027-06-01T00:00:00Z"},
        "POST /api/v1/blueprints/<name>/retire": {},
        "POST /api/v1/blueprints/<name>/reinstate": {},
        "POST /blueprints/<name>/deprecate": {"until": "2027-06-01"},
        "POST /api/v1/blueprints/<name>/evaluate": {"region": "east", "inputs": {}},
        "POST /api/v1/deployments/<deployment_id>/plan": {},
        "POST /api/v1/deployments/<deployment_id>/destroy": {"reason": "test", "force": True},
        "POST /deployments/<id>/destroy": {"reason": "test"},
        "POST /api/v1/deployments/<deployment_id>/bindings": {"name": "other"},
        "POST /api/v1/bindings/<binding_id>/rotate": {"overlap_hours": 1},
        "POST /deployments/<id>/bindings": {"name": "other"},
        "POST /bindings/<id>/rotate": {"overlap_hours": "1"},
        "POST /api/v1/deployments/<deployment_id>/playbook-runs": {"playbook": "base-hardening"},
        "POST /deployments/<id>/playbooks": {"playbook": "base-hardening"},
        "PUT /api/v1/tenancies/<reference>/playbook-access": {"user": "debian"},
        "POST /deployments/<id>/playbook-access": {
            "user": "debian",
            "port": "22",
            "reach": "inside",
        },
        "POST /api/v1/playbook-runs/<run_id>/approve": {"digest": "sha256:0"},
        "POST /playbook-runs/<id>/approve": {"digest": "sha256:0"},
        "POST /api/v1/deployments/<deployment_id>/abandon-import": {"reason": "test"},
        "POST /api/v1/plans/<plan_id>/import": {"digest": "sha256:other"},
        "POST /deployments/<id>/abandon-import": {"reason": "test"},
        "POST /plans/<id>/import": {"digest": "sha256:other"},
        "POST /api/v1/imports": {
            "tenancy": names["tenancies"],
            "region": "east",
            "blueprint": "tenancy",
            "inputs": {},
            "ids": {"nonsense": names["projects"]},
        },
        "POST /regions/<id>/imports/<project>": {"tenancy": names["tenancies"]},
        "POST /api/v1/deployments/<deployment_id>/drift/adopt": {"reason": "test"},
        "POST /api/v1/deployments/<deployment_id>/drift/repair": {},
        "POST /api/v1/drift/checks": {},
        "POST /api/v1/drift/<finding_id>/ignore": {
            "until": "2026-12-31T00:00:00Z",
            "reason": "test",
        },
        "POST /deployments/<id>/drift/adopt": {"reason": "test"},
        "POST /drift/<id>/ignore": {"until": "2026-12-31", "reason": "test"},
        "POST /api/v1/price-books": {"slug": "test", "title": text, "currency": "CNY"},
        "POST /api/v1/price-books/<slug>/prices": {
            "prices": [
                {
                    "meter": "server.instance_hours",
                    "dimensions": {"flavor": "m"},
                    "unit_price": "1",
                    "starts": "2027-01-01T00:00:00Z",
                }
            ]
        },
        "POST /api/v1/usage-events": _event(names["resources"], "evt-1"),
        "POST /api/v1/contracts": {
            "number": "CT-TEST",
            "framework": framework,
            "organisation": A,
            "name": text,
            "term": {"start": "2026-12-01T00:00:00Z", "end": "2027-12-01T00:00:00Z"},
            "ceiling": {"amount": "1000", "currency": "CNY"},
            "service_level": text,
        },
        "PUT /api/v1/contracts/<id>": {
            "name": text,
            "term": {"start": "2026-11-01T00:00:00Z", "end": "2027-12-01T00:00:00Z"},
            "ceiling": {"amount": "2000000", "currency": "CNY"},
            "service_level": text,
            "reason": "more",
        },
        "POST /api/v1/orders": {"tenancy": "health-production", "offering": "web-application"},
        "POST /api/v1/orders/declare": {
            "tenancy": "health-production",
            "offering": "web-application",
            "plan": "m",
            "region": "east",
            "name": "declared",
            "justification": "for the test",
        },
        "POST /api/v1/orders/quote": {
            "tenancy": "health-production",
            "offering": "web-application",
            "plan": "m",
            "region": "east",
        },
        "PUT /api/v1/orders/<id>": {"tenancy": "health-production"},
        "POST /api/v1/orders/<id>/withdraw": {"reason": "no"},
        "POST /api/v1/approvals/<order_id>/approve": {"digest": digest},
        "POST /api/v1/approvals/<order_id>/reject": {"digest": digest, "reason": "no"},
        "PUT /api/v1/me/password": {"present": PASSWORD, "new": "another long phrase"},
        "POST /account/password": {
            "present": PASSWORD,
            "password": "another long phrase",
        },
        "POST /api/v1/rating-runs": {"period": "2026-11"},
        "POST /api/v1/usage-collections": {"region": region},
        "POST /orders": {
            "offering": "web-application",
            "plan": "m",
            "tenancy": "health-production",
            "region": "east",
            "name": "test",
        },
        "POST /orders/quote": {
            "offering": "web-application",
            "plan": "m",
            "tenancy": "health-production",
            "region": "east",
            "name": "test",
        },
        "POST /services/<id>/return": {"name": service, "justification": "no more"},
        "POST /approvals/<id>/approve": {"digest": digest},
        "POST /approvals/<id>/reject": {"digest": digest, "reason": "no"},
    }


def _catalogue(platform: Platform, city: City) -> dict[str, Any]:
    """The city's catalogue and procurement, entered again as they are."""
    shelf = city.categories[0]
    offering = canonical.plain(next(o for o in city.offerings if o.slug == "web-application"))
    del offering["slug"]
    for plan in offering["plans"]:
        plan.pop("fixed", None)
    framework = platform.marketplace.framework(_SYSTEM, city.frameworks[0].number)
    text = {"en": "Test", "zh": "测试"}
    step = {"slug": "one", "name": text, "role": "finance", "organisation": "department"}
    return {
        "PUT /api/v1/categories/<slug>": {
            "name": canonical.plain(shelf.name),
            "description": canonical.plain(shelf.description),
        },
        "PUT /api/v1/offerings/<slug>": offering,
        "PUT /api/v1/frameworks/<number>": {
            "name": canonical.plain(framework.name),
            "suppliers": canonical.plain(framework.suppliers),
            "lots": list(framework.lots),
            "term": canonical.plain(framework.term),
            "ceiling": canonical.plain(framework.ceiling),
            "price_book": framework.price_book,
        },
        "PUT /api/v1/approval-policy": {"version": 2, "name": text, "steps": [step]},
        "PATCH /api/v1/organisations/<organisation_id>": {"name": text},
    }


def _queries() -> dict[str, dict[str, str]]:
    return {
        "GET /api/v1/migration/targets": {"organisation": A},
        "GET /orders/new": {"offering": "web-application", "plan": "m"},
        "GET /catalogue/compare": {"plan": "web-application:m"},
        "GET /api/v1/offerings/<slug>/prices": {"path": A},
    }


def _event(resource: str, name: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": name,
        "source": "test",
        "type": "dev.borough.usage.v1",
        "data": {
            "meter": "server.instance_hours",
            "resource": resource,
            "quantity": "1",
            "start": "2026-11-16T10:00:00Z",
            "end": "2026-11-16T11:00:00Z",
            "dimensions": {"flavor": "m"},
        },
    }


def _files(blueprint: str) -> dict[str, str]:
    folder = _ROOT / "blueprints" / blueprint
    return {
        str(path.relative_to(folder)): base64.b64encode(path.read_bytes()).decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }

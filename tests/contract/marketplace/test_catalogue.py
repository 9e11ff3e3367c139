"""The catalogue, contracts and policies, entered from data."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import Interval
from marketplace.model import Availability, Maturity, Policy, PolicyStep
from marketplace.provenance import OrderProvenance
from marketplace.store import PostgresMarketplace
from tests.contract.marketplace.conftest import (
    BEGIN,
    END,
    FINANCE,
    FRAMEWORK,
    MEMBER,
    NEIGHBOUR,
    PLATFORM,
    POLICY,
    TERMS,
    World,
    text,
    web_application,
    yuan,
)
from tests.contract.marketplace.test_orders import MONTH, MONTHS, fields


def test_entering_the_same_again_changes_nothing(world: World) -> None:
    before = len(world.audit.entries)
    world.market.define_offering(PLATFORM, web_application())
    world.market.define_framework(PLATFORM, FRAMEWORK)
    world.market.set_policy(PLATFORM, POLICY)
    again = world.market.sign_contract(
        FINANCE, number="CT-HEALTH", framework="FW-1", organisation="/city/health/", terms=TERMS
    )
    assert again == world.contract
    assert len(world.audit.entries) == before


def test_an_offering_is_kept_as_it_was_entered(world: World) -> None:
    assert world.market.offering(MEMBER, "web-application") == web_application()


def test_only_administrators_enter_things(world: World) -> None:
    for act in (
        lambda: world.market.define_offering(MEMBER, web_application(icon="x")),
        lambda: world.market.define_framework(MEMBER, FRAMEWORK),
        lambda: world.market.set_policy(FINANCE, replace(POLICY, version=2)),
        lambda: world.market.sign_contract(
            MEMBER, number="CT-2", framework="FW-1", organisation="/city/health/", terms=TERMS
        ),
    ):
        with pytest.raises(Forbidden):
            act()


def test_a_wrong_offering_names_every_problem(world: World) -> None:
    plain = web_application().plans[0]
    wrong = web_application(
        slug="No", category="none", data_classes=("public", "top"), blueprint="unknown",
        plans=(plain, plain),
    )  # fmt: skip
    with pytest.raises(Invalid) as error:
        world.market.define_offering(PLATFORM, wrong)
    assert fields(error) == ["slug", "category", "data_classes", "plans", "blueprint"]
    strange = replace(plain, inputs={"colour": "red"}, limits={"cores": (4, 2)})
    with pytest.raises(Invalid) as error:
        world.market.define_offering(PLATFORM, web_application(plans=(strange,)))
    assert fields(error) == [
        "plans.0.limits.cores", "plans.0.inputs.colour", "plans.0.limits.cores",
    ]  # fmt: skip


def test_the_catalogue_is_filtered(world: World) -> None:
    world.market.define_offering(
        PLATFORM,
        web_application(
            slug="disk", category="storage", name=text("Disk"), maturity=Maturity.PREVIEW,
            availability=Availability.PLANNED, blueprint=None, position=1,
        ),
    )  # fmt: skip

    def found(**filters: str) -> list[str]:
        return [o.slug for o in world.market.offerings(MEMBER, **filters)]  # type: ignore[arg-type]

    assert found() == ["web-application", "disk"]
    assert found(category="storage") == ["disk"]
    assert found(availability="orderable") == ["web-application"]
    assert found(maturity="preview") == ["disk"]
    assert found(data_class="sensitive") == []
    assert found(words="web APPLICATION") == ["web-application"]
    assert found(words="中") == ["web-application", "disk"]


def test_a_plans_price_is_that_of_the_contract(world: World) -> None:
    prices = world.market.plan_prices(MEMBER, "web-application", "/city/health/")
    assert {slug: price.month for slug, price in prices.items()} == {
        "m": yuan(MONTH), "cared": yuan(MONTH + 50),
    }  # fmt: skip
    assert world.market.plan_prices(NEIGHBOUR, "web-application", "/city/water/") == {}
    with pytest.raises(NotFound):
        world.market.plan_prices(NEIGHBOUR, "web-application", "/city/health/")


def test_a_contracts_discount_counts(world: World) -> None:
    terms = replace(TERMS, discount=Decimal("0.1"))
    made = world.market.amend_contract(
        FINANCE, "CT-HEALTH", terms=terms, reason="volume", effective=world.clock.now()
    )
    assert made.version == 2
    assert world.market.quote(MEMBER, world.wish()).price.month == yuan(MONTH * Decimal("0.9"))
    assert [c.version for c in world.market.contract(MEMBER, made.id).versions] == [1, 2]


def test_contracts_keep_within_their_framework(world: World) -> None:
    def sign(terms: object) -> None:
        world.market.sign_contract(
            FINANCE, number="CT-WATER", framework="FW-1", organisation="/city/water/",
            terms=terms,  # type: ignore[arg-type]
        )  # fmt: skip

    with pytest.raises(Invalid) as error:
        sign(
            replace(
                TERMS, term=Interval(BEGIN, END + timedelta(minutes=1)), discount=Decimal(2),
                ceiling=yuan(-1),
            )
        )  # fmt: skip
    assert fields(error) == ["term.end", "term", "ceiling.amount", "discount"]
    with pytest.raises(Invalid, match="FW-1 has 800000 left"):
        sign(replace(TERMS, ceiling=yuan(800_001)))
    sign(replace(TERMS, ceiling=yuan(800_000)))
    with pytest.raises(Invalid, match="1000000 of the contracts"):
        world.market.define_framework(PLATFORM, replace(FRAMEWORK, ceiling=yuan(900_000)))


def test_a_department_has_one_contract_at_a_time(world: World) -> None:
    with pytest.raises(Conflict, match="CT-HEALTH"):
        world.market.sign_contract(
            FINANCE, number="CT-2", framework="FW-1", organisation="/city/health/",
            terms=replace(TERMS, ceiling=yuan(1)),
        )  # fmt: skip


def test_a_ceiling_is_never_below_what_is_owed(world: World) -> None:
    world.active()
    with pytest.raises(Invalid) as error:
        world.market.amend_contract(
            FINANCE, "CT-HEALTH", terms=replace(TERMS, ceiling=yuan(1)), reason=" "
        )
    assert fields(error) == ["reason", "ceiling.amount"]


def test_the_ledger_tells_the_whole_story(world: World) -> None:
    order = world.active()
    entries = world.market.ledger(MEMBER, "CT-HEALTH", PageRequest()).items
    assert [(e.entry.value, e.encumbered.amount, e.committed.amount) for e in entries] == [
        ("commit", -MONTH * MONTHS, MONTH * MONTHS), ("encumber", MONTH * MONTHS, 0),
    ]  # fmt: skip
    assert {e.order_id for e in entries} == {order.id}


def test_what_was_written_is_not_rewritten(world: World) -> None:
    world.active()
    for table in ("ledger", "transition", "approval", "order_plan", "contract_version", "policy"):
        for statement in ("DELETE FROM", "UPDATE"):
            change = f" SET {_column(table)} = 'x'" if statement == "UPDATE" else ""
            with pytest.raises(DBAPIError, match="append-only"), world.database.transaction():
                world.database.execute(sa.text(f"{statement} marketplace_{table}{change}"))


def _column(table: str) -> str:
    return {"order_plan": "digest", "contract_version": "reason", "policy": "created_by"}.get(
        table, "order_id"
    )


def test_a_policy_asks_somebody_and_has_versions(world: World) -> None:
    dear = PolicyStep("dear", text("Dear"), "king", "city", Decimal(5))
    with pytest.raises(Invalid) as error:
        world.market.set_policy(PLATFORM, Policy("standard", 2, text("x"), (dear,), 0))
    assert fields(error) == ["steps", "steps.0.role", "steps.0.organisation", "deadline_days"]
    with pytest.raises(Conflict, match="next version is 2"):
        world.market.set_policy(PLATFORM, replace(POLICY, version=3))
    with pytest.raises(Conflict, match="version 1 is there"):
        world.market.set_policy(PLATFORM, replace(POLICY, deadline_days=5))
    world.market.set_policy(PLATFORM, replace(POLICY, version=2, deadline_days=5))
    found = world.market.approval_policy(MEMBER)
    assert found is not None
    assert (found.version, found.deadline_days) == (2, 5)


def test_a_resource_leads_back_to_its_approval(world: World) -> None:
    order = world.active()
    _, resources = world.market.instance_deployment(MEMBER, order.instance_id)
    store = PostgresMarketplace(world.database)
    provenance = OrderProvenance(store, world.provisioner, world.database)
    origin = provenance.origin(resources[0].id)
    assert origin.order["id"] == order.id
    assert origin.order["digest"] == order.digest
    assert (origin.contract["number"], origin.contract["version"]) == ("CT-HEALTH", 1)
    assert [(a["approver"], a["digest"]) for a in origin.approvals] == [("finance", order.digest)]
    assert origin.deployment["id"] == order.deployment_id
    assert provenance.origin("res_unknown").order == {}


def test_a_policy_asks_only_roles_that_decide(world: World) -> None:
    steps = tuple(
        PolicyStep(role, text(role), role, "/city/")
        for role in ("member", "auditor", "department_administrator", "king", "approver")
    )
    with pytest.raises(Invalid) as error:
        world.market.set_policy(PLATFORM, Policy("standard", 5, text("Wrong"), steps))
    assert {p.field: p.message for p in error.value.problems} == {
        **{f"steps.{n}.role": "is a role that may not decide on approvals" for n in range(3)},
        "steps.3.role": "is not a role",
    }

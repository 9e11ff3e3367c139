"""Events to records to charges to lines, on real PostgreSQL."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from control_plane.billing.model import HourlyQuantity, Price, StatementState
from control_plane.metering.model import Outcome, ResourceRef
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import Interval
from tests.fakes.money import ADMIN, FINANCE, HEALTH, NOVEMBER, OCTOBER, City


def test_usage_becomes_lines_at_the_contracts_prices(city: City) -> None:
    assert city.use(1, 100).outcome is Outcome.ACCEPTED
    assert city.billing.rate("2026-10").charges == 100
    (line,) = city.statement().lines
    assert line.quantity == 100
    assert line.list_cost == Decimal("90.0")
    assert line.cost == Decimal("81.0")
    assert city.statement().head.total == Decimal("81.00")


def test_rating_again_adds_nothing(city: City) -> None:
    city.use(1, 10)
    city.billing.rate("2026-10")
    assert city.billing.rate("2026-10").charges == 0


def test_a_replay_changes_nothing_and_another_payload_conflicts(city: City) -> None:
    city.use(1, 10)
    assert city.use(1, 10).outcome is Outcome.DUPLICATE
    assert city.use(1, 11).outcome is Outcome.CONFLICT
    city.billing.rate("2026-10")
    assert city.statement().lines[0].quantity == 10


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"meter": "nothing"}, "is not a meter"),
        ({"resource": "res_no"}, "is not a known resource"),
        ({"tenancy": "ten_w"}, "is not the tenancy"),
        ({"dimensions": {}}, "is required"),
        ({"dimensions": {"flavor": "m", "x": "y"}}, "no such dimension"),
        ({"end": "2027-01-01T00:00:00Z"}, "over 62 days"),
        ({"start": "2026-11-03T00:00:00Z", "end": "2026-11-04T00:00:00Z"}, "in the future"),
        ({"start": "2026-08-01T00:00:00Z", "end": "2026-08-02T00:00:00Z"}, "days ago"),
        ({"start": "2026-09-29T00:00:00Z"}, "before the resource was created"),
        ({"quantity": -1}, "negative"),
    ],
)
def test_doubtful_usage_waits_in_quarantine(city: City, data: dict[str, Any], reason: str) -> None:
    first = data.pop("start", "2026-10-01T00:00:00Z")
    result = city.use(1, 24, start=datetime.fromisoformat(first), **data)
    assert result.outcome is Outcome.QUARANTINED
    assert any(reason in text for text in result.reasons), result.reasons
    (waiting,) = city.metering.quarantine(ADMIN, PageRequest()).items
    assert waiting.event_id == "1"
    assert city.billing.rate("2026-10").charges == 0


def test_a_released_event_counts_once(city: City) -> None:
    city.use(1, 24, resource="res_new")
    (waiting,) = city.metering.quarantine(ADMIN, PageRequest()).items
    assert city.metering.release(ADMIN, waiting.id).outcome is Outcome.QUARANTINED
    city.directory.known["res_new"] = ResourceRef("res_new", None, "ten_h", HEALTH, OCTOBER)
    assert city.metering.release(ADMIN, waiting.id).outcome is Outcome.ACCEPTED
    with pytest.raises(Conflict):
        city.metering.release(ADMIN, waiting.id)
    assert city.billing.rate("2026-10").charges == 24


def test_collection_and_rating_on_demand_are_operations(city: City) -> None:
    asked = city.metering.request_collection(ADMIN, "reg_1")
    assert (asked.kind, asked.subject) == ("metering.collect", "reg_1")
    assert city.billing.request_rating(ADMIN, "2026-10").kind == "billing.rate"
    with pytest.raises(NotFound):
        city.metering.request_collection(ADMIN, "reg_2")
    stranger = Actor(PrincipalId("per_m"), "m", ActorKind.PERSON, (Grant("member", HEALTH),))
    for ask in (
        lambda: city.metering.request_collection(stranger, "reg_1"),
        lambda: city.billing.request_rating(stranger, "2026-10"),
        lambda: city.billing.add_prices(stranger, []),
    ):
        with pytest.raises(Forbidden):
            ask()


def test_a_neighbour_cannot_meter_what_it_does_not_own(city: City) -> None:
    neighbour = Actor(
        PrincipalId("svc_w"), "water", ActorKind.SERVICE, (Grant("operator", "/city/water/"),)
    )
    event = {
        "specversion": "1.0", "type": "dev.borough.usage.v1", "source": "w", "id": "1",
        "data": {
            "meter": "server.instance_hours", "resource": "res_vm", "quantity": 1,
            "start": "2026-10-01T00:00:00Z", "end": "2026-10-01T01:00:00Z",
            "dimensions": {"flavor": "m"},
        },
    }  # fmt: skip
    (result,) = city.metering.ingest(neighbour, [event])
    assert result.reasons == ("data.resource: res_vm is not a known resource",)


def test_a_price_in_the_past_corrects_what_was_charged(city: City) -> None:
    city.use(1, 48)
    city.billing.rate("2026-10")
    with pytest.raises(Invalid, match="needs a reason"):
        city.price("2", {"flavor": "m"}, OCTOBER + timedelta(days=1), why="")
    city.price("2", {"flavor": "m"}, OCTOBER + timedelta(days=1), why="tender corrected")
    # 24 hours are taken back at the old price and charged at the new one.
    assert city.billing.rate("2026-10").charges == 48
    assert city.billing.rate("2026-10").charges == 0
    costs = sorted(line.cost for line in city.statement().lines)
    assert costs == [Decimal("19.44"), Decimal("43.2")]


def test_prices_change_at_full_hours_and_are_never_ambiguous(city: City) -> None:
    with pytest.raises(Invalid, match="full hour"):
        city.price("1", {}, OCTOBER + timedelta(minutes=1))
    with pytest.raises(Invalid, match="lacks colour"):
        city.price("1", {"colour": "red"})


def test_the_maximum_of_an_hour_is_charged_for_a_peak_meter(city: City) -> None:
    city.billing.add_prices(
        ADMIN, [Price("pri_peak", "standard", "disk.peak_gb", {}, Decimal(1), OCTOBER, reason="x")]
    )
    for number, quantity in ((1, 5), (2, 9), (3, 7)):
        city.use(number, 1, meter="disk.peak_gb", dimensions={}, quantity=quantity)
    city.billing.rate("2026-10")
    assert city.statement().lines[0].quantity == 9
    city.use(4, 1, meter="disk.peak_gb", dimensions={}, quantity=11)
    assert city.billing.rate("2026-10").charges == 1
    assert city.statement().lines[0].quantity == 11


def test_use_without_price_or_contract_is_shown(city: City) -> None:
    city.use(1, 2, meter="disk.peak_gb", dimensions={})
    city.use(2, 1)
    city.billing.rate("2026-10")
    (unpriced,) = city.statement().unpriced
    assert (unpriced.meter, unpriced.quantity) == ("disk.peak_gb", 2)


def test_an_issued_statement_never_changes_and_late_usage_comes_later(city: City) -> None:
    city.use(1, 10)
    city.billing.rate("2026-10")
    issued = city.billing.issue(FINANCE, city.statement().head.id)
    assert issued.head.state is StatementState.ISSUED
    assert issued.head.number == "2026-000001"
    with pytest.raises(Conflict, match="issued as 2026-000001"):
        city.billing.issue(FINANCE, issued.head.id)
    city.use(2, 5)
    city.billing.rate("2026-10")
    assert city.statement() == issued
    (late,) = city.statement("2026-11").lines
    assert (late.quantity, late.key.charge_month) == (5, "2026-10")
    for change in (
        "UPDATE billing_statement SET total = 0",
        "DELETE FROM billing_statement_line",
        "UPDATE billing_charge SET quantity = 0",
        "DELETE FROM billing_charge",
        "UPDATE billing_charge SET step_id = 0",
        "UPDATE billing_charge_day SET quantity = 0",
        "DELETE FROM billing_charge_day",
        "UPDATE billing_tariff SET unit_price = 0",
        "UPDATE billing_rating_step SET records = 0",
        "UPDATE billing_price SET unit_price = 0",
        "DELETE FROM billing_terms",
        "UPDATE metering_record SET quantity = 0",
        "DELETE FROM metering_event",
        "DELETE FROM metering_series",
        "TRUNCATE billing_statement CASCADE",
        "TRUNCATE billing_statement_line",
        "TRUNCATE billing_charge",
        "TRUNCATE billing_charge_202610",
        "TRUNCATE billing_charge_day",
        "TRUNCATE billing_tariff CASCADE",
        "TRUNCATE billing_rating_step CASCADE",
        "TRUNCATE billing_price CASCADE",
        "TRUNCATE billing_terms CASCADE",
        "TRUNCATE metering_record",
        "TRUNCATE metering_record_202610",
        "UPDATE metering_record_202610 SET quantity = 0",
        "DELETE FROM metering_record_202610",
        "TRUNCATE metering_event",
        "TRUNCATE metering_series",
        "TRUNCATE metering_conflict",
    ):
        with (
            pytest.raises(DBAPIError, match=r"never changes|append-only"),
            city.database.transaction(),
        ):
            city.database.execute(sa.text(change))


def test_a_month_is_issued_after_it_ended_and_in_order(city: City) -> None:
    city.use(1, 10)
    city.use(2, 5, start=NOVEMBER)
    city.billing.rate("2026-10")
    city.billing.rate("2026-11")
    with pytest.raises(Conflict, match="has not ended"):
        city.billing.issue(FINANCE, city.statement("2026-11").head.id)
    city.clock.set(datetime(2026, 12, 2, tzinfo=UTC))
    with pytest.raises(Conflict, match="2026-10 must be issued first"):
        city.billing.issue(FINANCE, city.statement("2026-11").head.id)


def test_a_line_is_explained_down_to_its_events(city: City) -> None:
    city.use(1, 3)
    city.use(2, 2, start=OCTOBER + timedelta(hours=2))
    city.billing.rate("2026-10")
    for statement in (city.statement(), city.billing.issue(FINANCE, city.statement().head.id)):
        (line,) = statement.lines
        told = city.billing.explain(FINANCE, line.id)
        assert told.charge_count == 4
        assert sum(c.quantity for c in told.charges) == line.quantity == told.evidence_quantity == 5
        assert {e.event_id for e in told.evidence} == {"1", "2"}
        assert told.price.unit_price == Decimal("0.9")
        assert told.origin.resource == {"id": "res_vm"}


def test_a_strangers_statement_is_not_found(city: City) -> None:
    city.use(1, 3)
    city.billing.rate("2026-10")
    stranger = Actor(
        PrincipalId("per_w"),
        "w",
        ActorKind.PERSON,
        (Grant("department_administrator", "/city/water/"),),
    )
    assert city.billing.statements(stranger) == []
    with pytest.raises(NotFound):
        city.billing.statement(stranger, city.statement().head.id)
    with pytest.raises(NotFound):
        city.billing.explain(stranger, city.statement().lines[0].id)


def test_an_estimate_agrees_with_the_charge(city: City) -> None:
    estimate = city.billing.estimate(
        f"{HEALTH}clinics/",
        [HourlyQuantity("server.instance_hours", {"flavor": "m"}, Decimal(2), "vm")],
    )
    assert estimate.month.amount == Decimal(2) * 730 * Decimal("0.81")
    with pytest.raises(Invalid, match="no contract"):
        city.billing.estimate("/city/water/", [])


def test_collection_loses_no_minute_and_fills_a_gap(city: City) -> None:
    city.clock.set(OCTOBER + timedelta(hours=1, minutes=7))
    city.metering.collect_region("reg_1")
    city.region.down = True
    city.clock.advance(minutes=61)
    with pytest.raises(Unavailable):
        city.metering.collect_region("reg_1")
    city.metering.collect_all()
    (mark,) = city.metering.watermarks(ADMIN)
    assert mark.error.startswith("no answer")
    assert mark.collected_until == OCTOBER + timedelta(hours=1, minutes=7)
    city.region.down = False
    city.clock.advance(days=10)
    city.metering.collect_region("reg_1")
    (usage,) = city.metering.usage(ADMIN, Interval(OCTOBER, NOVEMBER))
    hours = Decimal((city.clock.now() - OCTOBER - timedelta(minutes=30)).total_seconds()) / 3600
    # Each window is rounded to 9 decimals by itself.
    assert abs(usage.quantity - hours) < Decimal("1e-8")


def test_what_was_there_before_it_was_imported_counts_from_then(city: City) -> None:
    """A region tells of a server's whole life; the platform's is from its import to its end."""
    imported, given_up = OCTOBER + timedelta(hours=5), OCTOBER + timedelta(hours=9)
    city.directory.known["res_vm"] = replace(
        city.directory.known["res_vm"], created_at=imported, deleted_at=given_up
    )
    # The region was not read for long: all lies in one window.
    city.clock.set(OCTOBER + timedelta(hours=20))
    city.metering.collect_region("reg_1")
    (usage,) = city.metering.usage(ADMIN, Interval(OCTOBER, NOVEMBER))
    assert usage.quantity == Decimal(4)
    assert city.metering.quarantine(ADMIN, PageRequest()).items == ()
    # What it tells of afterwards is nobody's, and no doubtful event.
    city.clock.advance(days=1)
    assert city.metering.collect_region("reg_1") == 0
    assert city.metering.quarantine(ADMIN, PageRequest()).items == ()

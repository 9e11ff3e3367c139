"""Rating: a day's records become charges."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from control_plane.billing.model import Unpriced
from control_plane.billing.store.rows import Rows
from foundation.kernel.time import Interval

_ALL = "/"

# For each kind of quantity and each span between two changes of prices or terms, the terms of the
# nearest organisation and the most specific price of their book. There are few of them, so that
# the records meet them in one hash join.
_RATES = """
kinds AS (
  SELECT DISTINCT path, meter, dimensions FROM metering_series WHERE starts_with(path, :path)
), bounds AS (
  SELECT CAST(:start AS timestamptz) AS at
  UNION SELECT starts FROM billing_price UNION SELECT ends FROM billing_price
  UNION SELECT starts FROM billing_terms UNION SELECT ends FROM billing_terms
), spans AS (
  SELECT at AS since, lead(at, 1, CAST(:end AS timestamptz)) OVER (ORDER BY at) AS until
  FROM bounds WHERE at >= :start AND at < :end
), accounts AS (
  SELECT DISTINCT ON (k.path, s.since) k.path, s.since, s.until, t.path AS account,
         t.contract_id, t.contract_version, t.book, t.discount
  FROM (SELECT DISTINCT path FROM kinds) k CROSS JOIN spans s
  JOIN billing_terms_validity t ON starts_with(k.path, t.path)
   AND t.starts <= s.since AND (t.ends IS NULL OR t.ends > s.since)
  ORDER BY k.path, s.since, length(t.path) DESC
), rates AS MATERIALIZED (
  SELECT DISTINCT ON (k.path, k.meter, k.dimensions, a.since)
         k.path, k.meter, k.dimensions, a.since, a.until, a.account, a.contract_id,
         a.contract_version, b.currency, p.id AS price_id, p.unit_price AS list_unit_price,
         p.unit_price * (1 - a.discount) AS unit_price
  FROM kinds k JOIN accounts a ON a.path = k.path
  JOIN billing_price_validity p ON p.book = a.book AND p.meter = k.meter
   AND k.dimensions @> p.dimensions
   AND p.starts <= a.since AND (p.ends IS NULL OR p.ends > a.since)
  JOIN billing_price_book b ON b.slug = a.book
  ORDER BY k.path, k.meter, k.dimensions, a.since, p.specificity DESC, p.id
)"""

_TARIFF = "account, contract_id, contract_version, price_id, unit_price"

_ADD_TARIFFS = f"""
WITH {_RATES}
INSERT INTO billing_tariff ({_TARIFF}, list_unit_price, currency)
SELECT DISTINCT {_TARIFF}, list_unit_price, currency FROM rates
WHERE ({_TARIFF}) NOT IN (SELECT {_TARIFF} FROM billing_tariff)
ORDER BY {_TARIFF} ON CONFLICT DO NOTHING"""

# The hours of the series, put together as their meters say, each with its price.
_DUE = f"""
{_RATES}, priced AS MATERIALIZED (
  SELECT s.id AS series_id, m.aggregation = 'max' AS peak, r.since, r.until, t.id AS tariff_id
  FROM metering_series s JOIN metering_meter m ON m.name = s.meter
  JOIN rates r ON r.path = s.path AND r.meter = s.meter AND r.dimensions = s.dimensions
  JOIN billing_tariff t USING ({_TARIFF})
), hourly AS (
  SELECT series_id, hour, sum(quantity) AS total, max(quantity) AS highest
  FROM metering_record WHERE hour >= :start AND hour < :end GROUP BY series_id, hour
), due AS (
  SELECT series_id, hour, tariff_id, CASE WHEN peak THEN highest ELSE total END AS quantity
  FROM hourly JOIN priced USING (series_id) WHERE hour >= since AND hour < until
  ORDER BY series_id, hour
)"""

# What a day without charges adds ...
_FIRST = f"""
WITH {_DUE}, added AS (
  INSERT INTO billing_charge (hour, series_id, tariff_id, step_id, corrects, quantity)
  SELECT hour, series_id, tariff_id, :step, false, quantity FROM due WHERE quantity <> 0
  RETURNING series_id, tariff_id, quantity
)"""

# ... and what any other does: the difference between what is due and what was charged.
_DIFFERENCE = f"""
WITH {_DUE}, charged AS (
  SELECT series_id, hour, tariff_id, sum(quantity) AS quantity
  FROM billing_charge WHERE hour >= :start AND hour < :end GROUP BY series_id, hour, tariff_id
), difference AS (
  SELECT series_id, hour, tariff_id, charged.quantity IS NOT NULL AS corrects,
         coalesce(due.quantity, 0) - coalesce(charged.quantity, 0) AS quantity
  FROM due FULL JOIN charged USING (series_id, hour, tariff_id)
), added AS (
  INSERT INTO billing_charge (hour, series_id, tariff_id, step_id, corrects, quantity)
  SELECT hour, series_id, tariff_id, :step, corrects, quantity FROM difference WHERE quantity <> 0
  ORDER BY series_id, hour
  RETURNING series_id, tariff_id, quantity
)"""

_ADDED = """, days AS (
  INSERT INTO billing_charge_day (series_id, day, tariff_id, step_id, charges, quantity)
  SELECT series_id, :start, tariff_id, :step, count(*), sum(quantity)
  FROM added GROUP BY series_id, tariff_id
  RETURNING tariff_id, charges
)
SELECT t.account, t.currency, sum(d.charges) AS charges
FROM days d JOIN billing_tariff t ON t.id = d.tariff_id GROUP BY t.account, t.currency"""

# Records, prices and terms are only ever added, and each transaction sees what the ones before it
# saw and perhaps more: so while their numbers stand, they are the same, and rating them again
# would add nothing. Prices and terms that begin after the day cannot matter to it.
_STATE = """
SELECT (SELECT count(*) FROM metering_record WHERE hour >= :start AND hour < :end) AS records,
       (SELECT count(*) FROM billing_price WHERE starts < :end) AS prices,
       (SELECT count(*) FROM billing_terms WHERE starts < :end) AS terms"""

_UNPRICED = f"""
WITH {_RATES}, covered AS (
  SELECT path, meter, dimensions FROM rates GROUP BY path, meter, dimensions
  HAVING sum(until - since) = CAST(:end AS timestamptz) - CAST(:start AS timestamptz)
)
SELECT s.path, s.meter, s.dimensions, sum(h.quantity) AS quantity
FROM (SELECT * FROM metering_series WHERE starts_with(path, :path)
      AND (path, meter, dimensions) NOT IN (TABLE covered)) s
JOIN metering_meter m ON m.name = s.meter AND m.billable
JOIN LATERAL (
  SELECT hour, CASE WHEN m.aggregation = 'max' THEN max(r.quantity) ELSE sum(r.quantity) END
    AS quantity
  FROM metering_record r WHERE r.series_id = s.id AND r.hour >= :start AND r.hour < :end
  GROUP BY r.hour) h ON true
LEFT JOIN rates r ON r.path = s.path AND r.meter = s.meter AND r.dimensions = s.dimensions
 AND h.hour >= r.since AND h.hour < r.until
WHERE r.price_id IS NULL
GROUP BY s.path, s.meter, s.dimensions ORDER BY s.path, s.meter, s.dimensions"""

_RATING = "billing rating"


class Rating(Rows):
    """Charges from records."""

    def lock_rating(self) -> None:
        self._db.lock(_RATING)

    def rate(self, day: Interval, run_id: str, at: datetime) -> tuple[int, set[tuple[str, str]]]:
        span = {"start": day.start, "end": day.end}
        # Days are rated side by side, but none while prices change or a statement is issued.
        self._rows("SELECT pg_advisory_xact_lock_shared(hashtextextended(:n, 0))", n=_RATING)
        self._db.lock(f"{_RATING} {day.start.isoformat()}")
        # From here on all that was committed by whoever held the locks before is seen.
        state = self._rows(_STATE, **span)[0]
        steps = self._rows(
            """SELECT records, prices, terms FROM billing_rating_step WHERE day = :start
            ORDER BY id DESC LIMIT 1""",
            start=day.start,
        )
        if steps and tuple(steps[0]) == tuple(state):
            return 0, set()
        if not steps and not state.records:
            return 0, set()
        return self._rate(span, run_id, at, state._asdict(), first=not steps)

    def _rate(
        self,
        span: Mapping[str, Any],
        run_id: str,
        at: datetime,
        state: Mapping[str, int],
        *,
        first: bool,
    ) -> tuple[int, set[tuple[str, str]]]:
        # Room to sort a day of a large city, given back at the commit. Sorting beats hashing here:
        # one sum is kept at a time instead of one for each hour of each series.
        self._rows(
            """SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true),
                      set_config('enable_hashagg', 'off', true)"""
        )
        self._rows(
            "SELECT borough_ensure_month('billing_charge', CAST(:start AS timestamptz))",
            start=span["start"],
        )
        step = self._rows(
            """INSERT INTO billing_rating_step (run_id, day, rated_at, records, prices, terms)
            VALUES (:run, :start, :at, :records, :prices, :terms) RETURNING id""",
            run=run_id, at=at, start=span["start"], **state,
        )[0].id  # fmt: skip
        self._db.execute(sa.text(_ADD_TARIFFS), {**span, "path": _ALL})
        rows = self._rows((_FIRST if first else _DIFFERENCE) + _ADDED, **span, path=_ALL, step=step)
        return int(sum(r.charges for r in rows)), {(r.account, r.currency) for r in rows}

    def unpriced(self, path: str, window: Interval) -> list[Unpriced]:
        rows = self._rows(_UNPRICED, start=window.start, end=window.end, path=path)
        return [Unpriced(r.path, r.meter, r.dimensions, r.quantity) for r in rows]

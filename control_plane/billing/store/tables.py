"""The tables of billing."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.metering.store.tables import series_table
from foundation.kernel.database import metadata, on_create, only_added

_INSTANT = sa.DateTime(timezone=True)

book_table = sa.Table(
    "billing_price_book",
    metadata,
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("title", postgresql.JSONB, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
)

price_table = sa.Table(
    "billing_price",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("book", sa.ForeignKey(book_table.c.slug), nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("dimensions", postgresql.JSONB, nullable=False),
    sa.Column("specificity", sa.Integer, nullable=False),
    sa.Column("unit_price", sa.Numeric, nullable=False),
    sa.Column("starts", _INSTANT, nullable=False),
    sa.Column("ends", _INSTANT),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Index("ix_billing_price_book_meter", "book", "meter"),
    sa.CheckConstraint("unit_price >= 0", name="unit_price"),
)

terms_table = sa.Table(
    "billing_terms",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False, index=True),
    sa.Column("contract_id", sa.Text, nullable=False),
    sa.Column("contract_version", sa.Integer, nullable=False),
    sa.Column("book", sa.ForeignKey(book_table.c.slug), nullable=False),
    sa.Column("discount", sa.Numeric, nullable=False),
    sa.Column("starts", _INSTANT, nullable=False),
    sa.Column("ends", _INSTANT),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.UniqueConstraint("contract_id", "contract_version"),
    sa.CheckConstraint("discount BETWEEN 0 AND 1", name="discount"),
)

statement_table = sa.Table(
    "billing_statement",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("total", sa.Numeric, nullable=False),
    sa.Column("number", sa.Text, unique=True),
    sa.Column("issued_at", _INSTANT),
    sa.Column("rated_at", _INSTANT),
    sa.Column("step_id", sa.Integer),
    sa.UniqueConstraint("path", "period", "currency"),
    sa.CheckConstraint("state IN ('open', 'issued')", name="state"),
    sa.CheckConstraint(
        "(state = 'issued') = (number IS NOT NULL AND step_id IS NOT NULL)", name="numbered"
    ),
)

line_table = sa.Table(
    "billing_statement_line",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("statement_id", sa.ForeignKey(statement_table.c.id), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("key", postgresql.JSONB, nullable=False),
    sa.Column("quantity", sa.Numeric, nullable=False),
    sa.Column("list_cost", sa.Numeric, nullable=False),
    sa.Column("cost", sa.Numeric, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False),
)

# A price under a contract's terms, for an account: what the charges at it have in common.
tariff_table = sa.Table(
    "billing_tariff",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("contract_id", sa.Text, nullable=False),
    sa.Column("contract_version", sa.Integer, nullable=False),
    sa.Column("price_id", sa.ForeignKey(price_table.c.id), nullable=False),
    sa.Column("list_unit_price", sa.Numeric, nullable=False),
    sa.Column("unit_price", sa.Numeric, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.UniqueConstraint(
        *("account", "contract_id", "contract_version", "price_id", "unit_price"),
        name="uq_billing_tariff",
    ),
)

# One rating of one day: what it was made of, by the numbers of rows that it saw.
step_table = sa.Table(
    "billing_rating_step",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("day", _INSTANT, nullable=False),
    sa.Column("rated_at", _INSTANT, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
    sa.Column("prices", sa.BigInteger, nullable=False),
    sa.Column("terms", sa.BigInteger, nullable=False),
    sa.Index("ix_billing_rating_step_day", "day", "id"),
)

# Narrow, for there are many: the costs are the quantity by the prices of the tariff, exactly, and
# the view has them. A charge is known by its series, hour, tariff and step; a tree of these keys
# would cost twice what the charge does. A step writes its charges by series and hour, so the ranges
# of a few blocks find those of a day or of a series.
charge_table = sa.Table(
    "billing_charge",
    metadata,
    sa.Column("hour", _INSTANT, nullable=False),
    sa.Column("series_id", sa.Integer, nullable=False),
    sa.Column("tariff_id", sa.Integer, nullable=False),
    sa.Column("step_id", sa.Integer, nullable=False),
    sa.Column("corrects", sa.Boolean, nullable=False),
    sa.Column("quantity", sa.Numeric, nullable=False),
    sa.Index(
        "ix_billing_charge_hour_series_id",
        *("hour", "series_id"),
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    ),
    postgresql_partition_by="RANGE (hour)",
)

# The sums of each step's charges, written with them: statements add up these.
day_table = sa.Table(
    "billing_charge_day",
    metadata,
    sa.Column("series_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", _INSTANT, primary_key=True),
    sa.Column("tariff_id", sa.Integer, primary_key=True),
    sa.Column("step_id", sa.Integer, primary_key=True),
    sa.Column("charges", sa.Integer, nullable=False),
    sa.Column("quantity", sa.Numeric, nullable=False),
)
charge_table.add_is_dependent_on(day_table)
charge_table.add_is_dependent_on(tariff_table)
charge_table.add_is_dependent_on(step_table)
charge_table.add_is_dependent_on(series_table)

# Nothing of a charge is ever changed: an issued statement tells by its step which are on it.
on_create(
    charge_table,
    """
CREATE FUNCTION billing_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$""",
)
for _name in ("charge", "charge_day", "tariff", "rating_step", "price", "terms"):
    on_create(charge_table, only_added(f"billing_{_name}", "billing_keep"))
# The four costs of FOCUS; contracted and effective are apart from billed once there are
# commitments, that is prepaid quantities.
on_create(
    charge_table,
    """
CREATE VIEW billing_charge_detail AS
SELECT c.hour, t.account, t.currency, s.path, s.tenancy_id, s.resource_id, s.meter, s.dimensions,
       c.quantity, t.contract_id, t.contract_version, t.price_id, t.list_unit_price, t.unit_price,
       c.quantity * t.list_unit_price AS list_cost, c.quantity * t.unit_price AS contracted_cost,
       c.quantity * t.unit_price AS effective_cost, c.quantity * t.unit_price AS billed_cost,
       c.corrects, c.series_id, c.tariff_id, c.step_id, r.run_id, r.rated_at
FROM billing_charge c
JOIN metering_series s ON s.id = c.series_id
JOIN billing_tariff t ON t.id = c.tariff_id
JOIN billing_rating_step r ON r.id = c.step_id""",
)
on_create(
    statement_table,
    """
CREATE FUNCTION billing_keep_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND to_jsonb(OLD) ->> 'state' = 'open' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'an issued statement never changes';
END $$""",
)
on_create(statement_table, only_added("billing_statement", "billing_keep_issued"))
on_create(line_table, only_added("billing_statement_line", "billing_keep_issued"))
# Of prices (and terms) that begin together, the one that was written last holds.
on_create(
    price_table,
    """
CREATE VIEW billing_price_validity AS
SELECT id, book, meter, dimensions, specificity, unit_price, reason, created_at, starts,
       least(ends, lead(starts) OVER (PARTITION BY book, meter, dimensions ORDER BY starts)) AS ends
FROM (SELECT DISTINCT ON (book, meter, dimensions, starts) * FROM billing_price
      ORDER BY book, meter, dimensions, starts, created_at DESC, id DESC) newest""",
)
on_create(
    terms_table,
    """
CREATE VIEW billing_terms_validity AS
SELECT id, path, contract_id, contract_version, book, discount, created_at, starts,
       least(ends, lead(starts) OVER (PARTITION BY path ORDER BY starts)) AS ends
FROM (SELECT DISTINCT ON (path, starts) * FROM billing_terms
      ORDER BY path, starts, contract_version DESC, created_at DESC, id DESC) newest""",
)

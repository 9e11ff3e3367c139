"""Values as people read them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask

from foundation.kernel.money import Money
from foundation.surface.web import show
from tests.functional.web.gallery.app import NOW, create


@pytest.fixture(scope="module")
def app() -> Flask:
    return create()


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        ("1284", 2, "¥ 1,284.00"),
        ("1284.005", 2, "¥ 1,284.00"),
        ("-3.5", 2, "−¥ 3.50"),
        ("0.000123", 6, "¥ 0.000123"),
        ("2", 6, "¥ 2.00"),
    ],
)
def test_money(app: Flask, value: str, places: int, text: str) -> None:
    with app.test_request_context("/"):
        assert show.amount(Money(Decimal(value)), places) == text


def test_money_keeps_the_exact_amount_in_its_title(app: Flask) -> None:
    with app.test_request_context("/"):
        assert 'title="1284.0049 CNY"' in show.money(Money(Decimal("1284.0049")), "month")
        assert show.amount(None) == "—"
        assert show.amount(Money(Decimal(5), "CHF")) == "CHF 5.00"


def test_times_are_relative_with_the_absolute_one_in_the_title(app: Flask) -> None:
    with app.test_request_context("/"):
        text = show.ago(NOW - timedelta(minutes=3))
        assert "3 minutes ago" in text
        assert 'title="2026-11-21 09:09:33 UTC"' in text
        assert "just now" in show.ago(NOW)
        assert "in 2 days" in show.ago(NOW + timedelta(days=2))
        assert show.ago(None) == "—"
    with app.test_request_context("/?lang=zh"):
        assert "3分钟前" in show.ago(NOW - timedelta(minutes=3))


@pytest.mark.parametrize(
    ("seconds", "text"), [(4, "4 s"), (0.25, "0.2 s"), (130, "2 min 10 s"), (11100, "3 h 5 min")]
)
def test_durations(app: Flask, seconds: float, text: str) -> None:
    with app.test_request_context("/"):
        assert show.duration(seconds) == text
        assert show.duration(None) == "—"


def test_properties_of_a_plan(app: Flask) -> None:
    with app.test_request_context("/"):
        assert "secret" in show.value_text({"$secret": "abc"})
        assert "abc" not in show.value_text({"$secret": "abc"})
        assert "known after" in show.value_text({"$unknown": True})
        assert show.value_text("<b>") == "&lt;b&gt;"
        assert show.value_text({"a": ["<i>", True]}) == "{a: [&lt;i&gt;, yes]}"
        assert "not set" in show.value_text(None)


def test_numbers_lose_no_digits_that_matter(app: Flask) -> None:
    with app.test_request_context("/"):
        assert show.number(Decimal("1234567.891")) == "1,234,567.891"
        assert show.number(3) == "3"
        assert show.short_digest("sha256:" + "ab" * 32) == "abababababab"

"""Forms from schemas: what is drawn, what is read back, where problems go."""

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from foundation.kernel.errors import Problem
from foundation.surface.web import forms
from tests.functional.web.gallery.app import SCHEMA, create


@pytest.fixture(scope="module")
def app() -> Flask:
    return create()


def fields(app: Flask, values: dict[str, object], language: str = "en") -> dict[str, forms.Field]:
    with app.test_request_context(f"/?lang={language}"):
        return {f.name: f for f in forms.draw(SCHEMA, values, "inputs")}


def test_kind_limits_and_default_come_from_the_schema(app: Flask) -> None:
    drawn = fields(app, {})
    servers = drawn["inputs.servers"]
    assert (servers.kind, servers.value, servers.minimum, servers.maximum) == ("number", 2, 1, 8)
    assert servers.required
    assert not drawn["inputs.name"].required
    assert drawn["inputs.exposure"].kind == "radio"
    assert drawn["inputs.backup"].kind == "checkbox"
    assert drawn["inputs.cidrs"].kind == "lines"
    assert drawn["inputs.volume_gb"].unit == "GB"


def test_labels_and_options_follow_the_language(app: Flask) -> None:
    assert fields(app, {})["inputs.servers"].label == "Servers"
    chinese = fields(app, {}, "zh")
    assert chinese["inputs.servers"].label == "服务器"
    assert [o.label for o in chinese["inputs.exposure"].options] == ["政务网", "互联网"]


def test_hidden_and_constant_properties_are_not_asked_for(app: Flask) -> None:
    schema = {"properties": {"a": {"const": 1}, "b": {"x-borough-hidden": True}, "c": {}}}
    with app.test_request_context("/"):
        assert [f.name for f in forms.draw(schema, {})] == ["c"]


def test_order_is_the_hint_then_what_is_required(app: Flask) -> None:
    schema = {
        "required": ["d", "c"],
        "properties": {"a": {}, "b": {"x-borough-order": 1}, "c": {}, "d": {}},
    }
    with app.test_request_context("/"):
        assert [f.name for f in forms.draw(schema, {})] == ["b", "d", "c", "a"]


def test_objects_become_groups_with_dotted_names(app: Flask) -> None:
    schema = {
        "properties": {
            "net": {
                "type": "object",
                "title": "Network",
                "properties": {"port": {"type": "integer"}},
            }
        }
    }
    with app.test_request_context("/"):
        (field,) = forms.draw(schema, {"net": {"port": 80}}, "inputs")
    assert (field.name, field.group, field.value) == ("inputs.net.port", "Network", 80)
    sent = MultiDict([("inputs.net.port", "443")])
    assert forms.read(schema, sent, "inputs") == {"net": {"port": 443}}


def test_reading_converts_types_and_leaves_out_what_is_empty() -> None:
    sent = MultiDict(
        [
            ("inputs.name", "  web "),
            ("inputs.servers", "3"),
            ("inputs.volume_gb", ""),
            ("inputs.exposure", "internet"),
            ("inputs.backup", "off"),
            ("inputs.backup", "on"),
            ("inputs.cidrs", "10.0.0.0/8\r\n\r\n 192.168.0.0/16 "),
            ("other", "x"),
        ]
    )
    assert forms.read(SCHEMA, sent, "inputs") == {
        "name": "web",
        "servers": 3,
        "exposure": "internet",
        "backup": True,
        "cidrs": ["10.0.0.0/8", "192.168.0.0/16"],
    }


def test_an_unchecked_box_is_false_and_an_absent_one_is_nothing() -> None:
    assert forms.read(SCHEMA, MultiDict([("backup", "off")])) == {"backup": False}
    assert forms.read(SCHEMA, MultiDict()) == {}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "12", 12),
        ("integer", "1.5", "1.5"),
        ("integer", "many", "many"),
        ("number", "1.5", 1.5),
        ("number", "-2", -2),
        ("string", "12", "12"),
    ],
)
def test_what_cannot_be_converted_stays_as_typed(kind: str, text: str, value: object) -> None:
    schema = {"properties": {"n": {"type": kind}}}
    assert forms.read(schema, MultiDict([("n", text)])) == {"n": value}


def test_numbers_in_an_enumeration_come_back_as_numbers() -> None:
    schema = {"properties": {"n": {"enum": [1, 2]}}}
    assert forms.read(schema, MultiDict([("n", "2")])) == {"n": 2}


def test_every_problem_finds_its_field_or_is_said_apart(app: Flask) -> None:
    with app.test_request_context("/"):
        form = forms.Form.of(
            forms.draw(SCHEMA, {}, "inputs"),
            [
                Problem("inputs.servers", "must be at most 8"),
                Problem("inputs.servers", "must be a whole number"),
                Problem("inputs.cidrs.0", "is not a network"),
                Problem("inputs.name_of_another", "is not an input"),
                Problem("", "the contract has ended"),
            ],
        )
    assert form["inputs.servers"].problems == ("Must be at most 8", "Must be a whole number")
    assert form["inputs.cidrs"].problems == ("Is not a network",)
    assert form["inputs.name"].problems == ()
    assert form.other == ["inputs.name_of_another: Is not an input", "The contract has ended"]
    assert form.wrong


def test_a_select_that_may_stay_empty_offers_nothing_first(app: Flask) -> None:
    schema = {"properties": {"s": {"enum": ["a", "b", "c", "d", "e"]}}}
    with app.test_request_context("/"):
        (field,) = forms.draw(schema, {})
    assert field.kind == "select"
    assert [o.value for o in field.options] == ["", "a", "b", "c", "d", "e"]


def test_values_are_described_as_the_form_calls_them(app: Flask) -> None:
    values = {"volume_gb": 1500, "exposure": "internet", "backup": True, "older": "x"}
    with app.test_request_context("/?lang=zh"):
        assert forms.described(SCHEMA, values) == [
            ("开放范围", "互联网"),
            ("云硬盘", "1,500 GB"),
            ("每晚备份", "是"),
            ("older", "x"),
        ]


def test_a_list_of_things_with_parts_is_written_as_json_and_read_back(app: Flask) -> None:
    parts = {"from": {"type": "string"}, "ports": {"type": "array"}}
    rule = {"type": "array", "items": {"type": "object", "properties": parts}}
    schema = {"type": "object", "properties": {"openings": rule}}
    value = [{"from": "市", "ports": [80]}, {"from": "city", "ports": []}]
    with app.test_request_context("/"):
        (drawn,) = forms.draw(schema, {"openings": value})
    assert drawn.note == 'One a line, as JSON: {"from": …, "ports": …}'
    assert drawn.value.splitlines()[0] == '{"from": "市", "ports": [80]}'
    sent = MultiDict([("openings", drawn.value)])
    assert forms.read(schema, sent) == {"openings": value}
    # What is no JSON stays as typed: the schema says what is wrong with it.
    assert forms.read(schema, MultiDict([("openings", "80")])) == {"openings": [80]}
    assert forms.read(schema, MultiDict([("openings", "{")])) == {"openings": ["{"]}

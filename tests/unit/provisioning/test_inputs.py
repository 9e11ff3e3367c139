from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from control_plane.provisioning.inputs import checked, schema_problems
from foundation.kernel import canonical
from foundation.kernel.errors import Invalid, Problem

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["servers", "size"],
    "properties": {
        "servers": {"type": "integer", "minimum": 1, "maximum": 8},
        "size": {"enum": ["s", "m"]},
        "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 1},
        "exposure": {"enum": ["city", "internet"], "default": "city"},
        "disks": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["gb"],
                "additionalProperties": False,
                "properties": {"gb": {"type": "integer"}, "kind": {"default": "standard"}},
            },
        },
    },
}


def wrong(value: Any, schema: dict[str, Any] = SCHEMA) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        checked(schema, value)
    return {p.field: p.message for p in caught.value.problems}


def test_defaults_are_filled_in_at_every_depth() -> None:
    filled = checked(SCHEMA, {"servers": 2, "size": "s", "disks": [{"gb": 1}]})
    assert filled == {
        "servers": 2,
        "size": "s",
        "exposure": "city",
        "disks": [{"gb": 1, "kind": "standard"}],
    }


def test_every_mistake_is_named_at_once_with_its_place() -> None:
    assert wrong(
        {
            "servers": 0,
            "name": "A1",
            "exposure": "moon",
            "disks": [{"gb": 1}, {"gb": "2", "speed": 3}, {}],
            "colour": "red",
        }
    ) == {
        "inputs.servers": "must be at least 1",
        "inputs.size": "is required",
        "inputs.name": "does not have the form ^[a-z]+$",
        "inputs.exposure": "must be one of city, internet",
        "inputs.disks.1.gb": "must be a whole number",
        "inputs.disks.1.speed": "is not an input",
        "inputs.disks.2.gb": "is required",
        "inputs.colour": "is not an input",
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "a\0b"}, "holds characters that are no text"),
        ({"name": "\ud800"}, "holds characters that are no text"),
        ({"servers": float("nan")}, "must be a finite number"),
        ({"servers": 2**60}, "is too large a number"),
        ({"servers": b"2"}, "is no JSON"),
    ],
)
def test_what_cannot_be_stored_is_refused(value: dict[str, Any], message: str) -> None:
    assert message in wrong(value).values()


def test_something_that_is_no_object_is_refused() -> None:
    assert wrong([1]) == {"inputs": "must be an object"}


def test_true_is_no_number() -> None:
    assert wrong({"servers": True, "size": "s"}) == {"inputs.servers": "must be a whole number"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(JSON)
def test_what_passes_is_valid_and_can_be_digested(value: Any) -> None:
    problems: list[Problem] = []
    try:
        filled = checked(SCHEMA, value)
    except Invalid as error:
        problems += error.problems
    if problems:
        assert all(p.field.startswith("inputs") and p.message for p in problems)
    else:
        Draft202012Validator(SCHEMA).validate(filled)
        assert set(filled) <= set(SCHEMA["properties"])
        assert canonical.digest(filled)


def test_a_schema_with_a_wrong_default_is_no_schema() -> None:
    problems = schema_problems(
        {"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}, "inputs"
    )
    assert [p.field for p in problems] == ["inputs.properties.a.default"]


@pytest.mark.parametrize(
    "schema", ["text", {"type": "array"}, {"type": "objekt"}, {"type": "object", "required": "a"}]
)
def test_schemas_that_are_none(schema: Any) -> None:
    assert schema_problems(schema, "inputs")

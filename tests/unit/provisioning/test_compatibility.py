"""Which changes of a blueprint's document break what worked."""

from typing import Any

import pytest

from control_plane.provisioning.compatibility import (
    SchemaChange,
    document_changes,
    lowest_version,
    version_key,
)

SIZES: dict[str, Any] = {"type": "string", "enum": ["s", "m"], "default": "s"}


def document(inputs: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    properties = {
        "servers": {"type": "integer", "minimum": 1, "maximum": 8},
        "size": SIZES,
        "note": {"type": "string"},
    }
    properties.update(inputs or {})
    return {
        "kinds": ["openstack"],
        "data_classes": ["public", "internal"],
        "meters": ["volume.gb_hours"],
        "inputs": {
            "type": "object",
            "required": ["servers", "size"],
            "properties": {k: v for k, v in properties.items() if v is not None},
        },
        "outputs": {"type": "object", "properties": {"url": {"type": "string"}}},
        **changed,
    }


def only(new: dict[str, Any], old: dict[str, Any] | None = None) -> SchemaChange:
    [found] = document_changes(old or document(), new)
    return found


def test_the_same_document_has_no_changes() -> None:
    assert document_changes(document(), document()) == ()


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({"note": None}, "note"),
        ({"servers": {"type": "integer", "minimum": 2, "maximum": 8}}, "servers"),
        ({"servers": {"type": "integer", "minimum": 1, "maximum": 4}}, "servers"),
        ({"servers": {"type": "string", "minimum": 1, "maximum": 8}}, "servers"),
        ({"size": {**SIZES, "enum": ["s"]}}, "size"),
        ({"note": {"type": "string", "pattern": "^a"}}, "note"),
        ({"note": {"type": "string", "maxLength": 5}}, "note"),
        ({"note": {"type": "string", "enum": ["a"]}}, "note"),
    ],
)
def test_inputs_that_were_taken_and_are_not_any_more_break(
    inputs: dict[str, Any], name: str
) -> None:
    found = only(document(inputs))
    assert (found.breaking, found.name) == (True, name)
    assert name in found.message.en
    assert name in found.message.zh


@pytest.mark.parametrize(
    "inputs",
    [
        {"extra": {"type": "string"}},
        {"extra": {"type": "string", "default": "x"}},
        {"servers": {"type": "integer", "minimum": 0, "maximum": 8}},
        {"servers": {"type": "number", "minimum": 1, "maximum": 8}},
        {"servers": {"type": "integer", "minimum": 1}},
        {"size": {**SIZES, "enum": ["s", "m", "l"]}},
        {"size": {**SIZES, "default": "m"}},
        {"size": {"type": "string", "default": "s"}},
    ],
)
def test_what_only_takes_more_does_not_break(inputs: dict[str, Any]) -> None:
    assert not only(document(inputs)).breaking


def test_a_new_input_that_has_to_be_given_breaks() -> None:
    new = document({"zone": {"type": "string"}})
    new["inputs"]["required"].append("zone")
    assert only(new).breaking
    new["inputs"]["properties"]["zone"]["default"] = "a"
    assert not only(new).breaking
    later = document()
    later["inputs"]["required"].append("note")
    assert only(later).breaking
    assert not only(document(), later).breaking


def test_objects_and_lists_are_compared_inside() -> None:
    def nested(maximum: int) -> dict[str, Any]:
        item = {"type": "object", "properties": {"gb": {"type": "integer", "maximum": maximum}}}
        return document({"disks": {"type": "array", "items": item}})

    found = only(nested(5), nested(9))
    assert (found.name, found.breaking) == ("disks[].gb", True)
    assert not only(nested(9), nested(5)).breaking


def test_outputs_break_the_other_way_round() -> None:
    def outputs(**properties: Any) -> dict[str, Any]:
        return document(outputs={"type": "object", "properties": properties})

    assert only(outputs()).breaking
    assert not only(outputs(url={"type": "string"}, more={"type": "string"})).breaking
    assert only(outputs(url={"type": ["string", "null"]})).breaking
    assert only(outputs(url={"type": "string", "x-secret": True})).breaking


def test_regions_and_data_that_are_shut_out_break() -> None:
    assert only(document(kinds=["openstack", "kubernetes"])).breaking
    assert not only(document(), document(kinds=["openstack", "kubernetes"])).breaking
    assert only(document(data_classes=["public"])).breaking
    assert only(document(scope="region")).breaking
    assert not only(document(meters=[])).breaking


def test_breaking_changes_come_first() -> None:
    found = document_changes(document(), document({"a": {"type": "string"}, "note": None}))
    assert [c.breaking for c in found] == [True, False]


def test_versions_of_breaking_changes() -> None:
    assert lowest_version("1.9.3") == "2.0.0"
    assert lowest_version("0.4.2") == "0.5.0"
    assert version_key("1.10.0") > version_key("1.9.9")

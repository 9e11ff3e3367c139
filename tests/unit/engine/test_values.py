"""Values between Pulumi's forms and ours, and masking."""

from typing import Any

import pytest
from google.protobuf import struct_pb2

from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.values import Masker

KEY = b"k" * 32
SECRET = {values.SIGNATURE: values.SECRET, "value": "hunter2-hunter2"}


def struct(tree: dict[str, Any]) -> struct_pb2.Struct:
    found = struct_pb2.Struct()
    found.update(tree)
    return found


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        ({"a": 1, "b": 1.5, "c": True, "d": None, "e": "x"}, None),
        ({"a": next(iter(values.UNKNOWN_TEXTS))}, {"a": values.UNKNOWN}),
        ({"a": SECRET}, {"a": {"$clear": "hunter2-hunter2"}}),
        ({"a": [{"b": SECRET}]}, {"a": [{"b": {"$clear": "hunter2-hunter2"}}]}),
        ({"a": {values.SIGNATURE: values.OUTPUT}}, {"a": values.UNKNOWN}),
        (
            {"a": {values.SIGNATURE: values.OUTPUT, "value": 1, "secret": True}},
            {"a": {"$clear": 1}},
        ),
        ({"a": {values.SIGNATURE: values.RESOURCE, "urn": "u", "id": "i"}}, {"a": "i"}),
        (
            {"a": {values.SIGNATURE: values.ASSETS[0], "text": "t"}},
            {"a": {"$asset": {"text": "t"}}},
        ),
    ],
)
def test_reading_the_wire(wire: dict[str, Any], ours: dict[str, Any] | None) -> None:
    assert values.read_struct(struct(wire)) == (wire if ours is None else ours)


@pytest.mark.parametrize(
    "tree",
    [
        {"a": 1, "b": [1, "x", {"c": None}]},
        {"a": {"$unknown": True}, "b": [{"$unknown": True}]},
        {"a": {"$clear": {"b": ["secret"]}}},
    ],
)
def test_writing_and_reading_again(tree: dict[str, Any]) -> None:
    wire = struct_pb2.Struct()
    values.write_struct(tree, wire)
    assert values.read_struct(wire) == tree


def test_whole_numbers_stay_whole() -> None:
    found = values.read_struct(struct({"a": 3, "b": 3.5}))
    assert isinstance(found["a"], int)
    assert isinstance(found["b"], float)


def test_the_clis_own_json() -> None:
    hidden = {values.SIGNATURE: values.SECRET, "ciphertext": "[secret]"}
    shown = {values.SIGNATURE: values.SECRET, "plaintext": '"hunter2"'}
    assert values.read_json({"a": hidden, "b": shown, "__defaults": [], "c": [1]}) == {
        "a": {"$secret": values.HIDDEN},
        "b": {"$clear": "hunter2"},
        "c": [1],
    }


def test_a_masked_secret_is_stable_keyed_and_not_the_secret() -> None:
    value = {"password": {"$clear": "hunter2-hunter2"}}
    one, again = Masker(KEY).mask(value), Masker(KEY).mask(value)
    other_key = Masker(b"o" * 32).mask(value)
    other_value = Masker(KEY).mask({"password": {"$clear": "hunter3-hunter3"}})
    assert one == again
    assert one != other_key
    assert one != other_value
    assert "hunter2" not in repr(one)
    assert Masker(KEY).mask({"p": {"$clear": values.UNKNOWN}}) == {"p": {"$secret": "unknown"}}


def test_known_secrets_are_masked_where_a_program_forgot_to_mark_them() -> None:
    credentials = {
        "region": {
            "openstack": {
                "user_name": "administrator",
                "password": "hunter2-hunter2",
                "project_name": "Default-project",
            }
        },
        "seed": "a-seed-of-some-length",
        "short_token": "abc",
    }
    masker = Masker(KEY, credentials)
    assert masker.text("with hunter2-hunter2 as administrator of Default-project") == (
        "with [secret] as administrator of Default-project"
    )
    masked = masker.mask({"a": "x:hunter2-hunter2", "b": "administrator", "c": "abc"})
    assert masked["a"].keys() == {"$secret"}
    assert (masked["b"], masked["c"]) == ("administrator", "abc")

"""The schemas of rules: whole, bilingual, and each default is allowed by its own schema."""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from workloads.video_analytics.vision.detectors import DETECTORS
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.parameters import PARAMETERS, with_defaults

_HAN = re.compile("[\u4e00-\u9fff]")


def test_every_detector_has_parameters() -> None:
    assert set(DETECTORS) <= set(PARAMETERS)


@pytest.mark.parametrize("kind", sorted(PARAMETERS))
def test_a_schema_is_whole(kind: RuleKind) -> None:
    schema: dict[str, Any] = PARAMETERS[kind]
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert _HAN.search(schema["x-zh"]["title"])
    for name, item in schema["properties"].items():
        assert item["title"], name
        assert _HAN.search(item["x-zh"]["title"]), name
        assert "default" in item, name
        if "enum" in item:
            assert set(item["x-zh"]["enum"]) == set(item["enum"]) == set(item["x-enum"])
        for unit, suffix in (("s", "_seconds"), ("%", "_percent")):
            if item.get("x-unit") == unit:
                assert name.endswith(suffix) or name == "seconds"
    wrong = Draft202012Validator(schema).iter_errors(with_defaults(kind, {}))
    # A list that must not be empty has no default: who makes the rule names its members.
    assert not [e for e in wrong if e.validator != "minItems"]


def test_what_is_given_goes_before_the_default() -> None:
    found = with_defaults(RuleKind.LOITERING, {"seconds": 5})
    assert found["seconds"] == 5
    assert found["clear_seconds"] == 5.0

"""The published description of the API: valid, whole, and one name for one thing."""

from collections import Counter
from typing import Any

import pytest
from apiflask import APIFlask
from openapi_spec_validator import validate

from control_plane.entrypoints import app as control_plane
from control_plane.settings import Settings
from foundation.serving.app import Parts
from foundation.surface.api import openapi
from workloads.data_exchange.entrypoints import app as exchange
from workloads.data_exchange.settings import Settings as ExchangeSettings
from workloads.video_analytics.entrypoints import app as video
from workloads.video_analytics.settings import Settings as VideoSettings

#: Signing in makes a token for a caller who is not known yet; the others change the state of an
#: operation that is there, and once more changes nothing.
WITHOUT_KEY = {
    "POST /api/v1/login",
    "POST /api/v1/operations/{id}/cancel",
    "POST /api/v1/operations/{id}/retry",
}
#: A grant lasts minutes and is made anew each time: its answer, a credential, is kept nowhere.
GRANTS = {
    "POST /api/v1/agreements/{agreement_id}/grants",
    "POST /api/v1/agreements/{agreement_id}/grants/signed",
}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module", params=["control_plane", "video", "exchange"])
def app(request: pytest.FixtureRequest) -> APIFlask:
    """A product's application without a platform: its description needs none."""
    nothing: Any = object()
    parts = Parts(nothing, nothing, ())
    if request.param == "video":
        return video.create_app(parts, VideoSettings())
    if request.param == "exchange":
        return exchange.create_app(parts, ExchangeSettings())
    return control_plane.create_app(parts, Settings())


@pytest.fixture(scope="module")
def spec(app: APIFlask) -> dict[str, Any]:
    app.config["TESTING"] = True
    found = app.spec
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def operations(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def test_it_is_valid(spec: dict[str, Any]) -> None:
    assert spec["openapi"].startswith("3.1")
    validate(spec)


def test_every_address_of_the_api_is_in_it(
    app: APIFlask, operations: dict[str, dict[str, Any]]
) -> None:
    there = {
        f"{method} {openapi.path_of(rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/") and rule.rule != openapi.SPEC_PATH
    }
    assert there - set(operations) == set()
    assert {name for name in operations if " /api/" not in name} == set()


def test_names_of_operations_are_unique(operations: dict[str, dict[str, Any]]) -> None:
    names = Counter(operation["operationId"] for operation in operations.values())
    assert [name for name, count in names.items() if count > 1] == []


def test_a_name_of_a_model_means_one_thing(spec: dict[str, Any]) -> None:
    """APIFlask numbers models of one name, and ours keeps the parent's where two differ."""
    named = {
        name: schema.get("title", name) for name, schema in spec["components"]["schemas"].items()
    }
    assert {name: title for name, title in named.items() if name != title} == {}


def test_operations_say_what_they_do_and_what_they_need(
    operations: dict[str, dict[str, Any]],
) -> None:
    for name, operation in operations.items():
        assert operation.get("summary"), name
        assert operation["x-borough-action"], name
        assert operation["responses"]["default"], name
        assert operation.get("tags"), name


def test_every_post_that_creates_takes_an_idempotency_key(
    operations: dict[str, dict[str, Any]],
) -> None:
    creating = {
        name
        for name, operation in operations.items()
        if name.startswith("POST ") and {"201", "202"} & set(operation["responses"])
    }
    taking = {
        name
        for name, operation in operations.items()
        if any(p["name"] == "Idempotency-Key" for p in operation["parameters"])
    }
    assert creating - taking - GRANTS == WITHOUT_KEY

"""Options and fixtures of the tests about the whole system."""

import pytest
from apiflask import APIFlask

pytest.register_assert_rewrite("tests.architecture.authorisation")

from tests.architecture.harness import Asker, Cast, Endpoint, endpoints  # noqa: E402 - after


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden", action="store_true", help="write the golden tables anew; then read them"
    )


@pytest.fixture(scope="module")
def all_endpoints(app: APIFlask) -> list[Endpoint]:
    return list(endpoints(app))


@pytest.fixture(scope="module")
def answers(
    asker: Asker, all_endpoints: list[Endpoint], cast: Cast
) -> dict[str, dict[str, tuple[str, str]]]:
    """What every actor gets from every endpoint: the outcome and the text."""
    return {
        endpoint.name: {who: asker.ask(endpoint, who) for who in cast.actors}
        for endpoint in all_endpoints
        if endpoint.name not in cast.public
    }


@pytest.fixture(scope="module")
def outcomes(
    answers: dict[str, dict[str, tuple[str, str]]], all_endpoints: list[Endpoint]
) -> dict[str, dict[str, str]]:
    """For each endpoint its action, and what each actor gets."""
    table = {}
    for endpoint in all_endpoints:
        row = {"action": endpoint.action or "(none)"}
        row |= {who: outcome for who, (outcome, _) in answers.get(endpoint.name, {}).items()}
        table[endpoint.name] = row
    return table

"""Generated requests against the description of a running API (schemathesis)."""

import time
from collections.abc import Callable, Collection
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings


def asked_as_described(
    url: str,
    token: str,
    checks: Collection[Any],
    *,
    wanted: Callable[[str], bool],
    examples: int,
    seconds: float,
) -> tuple[int, list[str]]:
    """Ask each operation that is wanted; answers how many were asked, and what did not fit.

    Args:
        url: of the product.
        token: with which it is asked.
        checks: of schemathesis.
        wanted: whether an operation of that path is asked.
        examples: at most so many requests each.
        seconds: after so long no further operation is begun.
    """
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    end, asked = time.monotonic() + seconds, 0
    found: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if not wanted(operation.path) or time.monotonic() > end:
            continue
        asked += 1

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            try:
                case.call_and_validate(
                    base_url=url, headers=headers, checks=list(checks), timeout=30
                )
            except (AssertionError, schemathesis.errors.SchemathesisError, BaseExceptionGroup) as e:
                found.append(f"{case.method} {case.formatted_path}: {e}"[:2000])

        ask()
    return asked, found

"""Options of the tests about the whole system."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden", action="store_true", help="write the golden tables anew; then read them"
    )

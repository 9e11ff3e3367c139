"""Types to begin with; nobody real stands in them."""

import json
from importlib import resources
from typing import Any


def sample() -> dict[str, Any]:
    """A food business licence, as the body of ``POST /licence-types`` without its agency."""
    text = resources.files(__package__).joinpath("food-business.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found

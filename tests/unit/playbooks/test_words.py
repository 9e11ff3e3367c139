"""What the pages say of a playbook's inputs."""

import pytest

from control_plane.provisioning.playbooks.pages import default_of
from foundation.surface.web.forms import Field


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("lines", [], ""),
        ("lines", "BH-01\nBH-13", "BH-01, BH-13"),
        ("text", "22", "22"),
        ("text", "", ""),
        ("number", 0, "0"),
        ("number", None, ""),
    ],
)
def test_a_default_is_said_as_it_would_be_typed(kind: str, value: object, said: str) -> None:
    assert default_of(Field(name="a", label="A", kind=kind, value=value)) == said

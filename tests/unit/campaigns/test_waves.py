"""How deployments are parted into waves."""

import pytest

from control_plane.provisioning.campaigns.model import check_waves, part
from foundation.kernel.errors import Invalid


@pytest.mark.parametrize(
    ("count", "waves", "sizes"),
    [
        (20, ("1", "10%", "rest"), [1, 2, 17]),
        (1, ("1", "10%", "rest"), [1]),
        (3, ("1", "10%", "rest"), [1, 1, 1]),
        (10, ("5", "5"), [5, 5]),
        (10, ("2", "3"), [2, 8]),
        (4, ("rest",), [4]),
        (4, ("100%",), [4]),
        (4, ("9", "rest"), [4]),
        (0, ("1", "rest"), []),
    ],
)
def test_waves_hold_everything_once(count: int, waves: tuple[str, ...], sizes: list[int]) -> None:
    found = part(count, check_waves(waves))
    assert len(found) == count
    assert [found.count(wave) for wave in sorted(set(found))] == sizes
    assert found == sorted(found)


@pytest.mark.parametrize(
    "waves", [(), ("0",), ("-1",), ("rest", "1"), ("101%",), ("ten",), ("1",) * 21, ("",), ("1 %",)]
)
def test_what_is_no_wave(waves: tuple[str, ...]) -> None:
    with pytest.raises(Invalid, match="waves"):
        check_waves(waves)

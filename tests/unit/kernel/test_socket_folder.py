"""Where the embedded server's socket lies: its path has to fit into an address."""

import socket
from pathlib import Path

import pytest

from foundation.adapters.postgres.embedded import _socket_folder


@pytest.mark.parametrize("length", [*range(70, 110), 300])
def test_a_socket_fits_into_its_address(length: int, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home = home.with_name("h" * max(1, length - len(str(home.parent)) - len("/socket") - 1))
    chosen = _socket_folder(home)
    assert len(f"{chosen}/.s.PGSQL.5432") <= 107
    near = len(str(home / "socket")) <= 93
    assert (chosen == home / "socket") is near
    if near:
        home.mkdir()
        chosen.mkdir()
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(chosen / ".s.PGSQL.5432"))

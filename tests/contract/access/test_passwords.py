"""Passwords with any parameters: what the sign-in relies on."""

import pytest
from argon2 import PasswordHasher

from foundation.access.passwords import Argon2Passwords

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture(params=["usual", "quick"])
def passwords(request: pytest.FixtureRequest) -> Argon2Passwords:
    return Argon2Passwords() if request.param == "usual" else Argon2Passwords(QUICK)


def test_a_hash_fits_its_password_only(passwords: Argon2Passwords) -> None:
    hashed = passwords.hash("correct horse 马")
    assert passwords.verify(hashed, "correct horse 马")
    assert not passwords.verify(hashed, "correct horse")
    assert not passwords.verify(hashed, "")
    assert hashed != passwords.hash("correct horse 马")
    assert "correct" not in hashed
    assert hashed.startswith("$argon2id$")


def test_nobody_has_no_password(passwords: Argon2Passwords) -> None:
    assert not passwords.verify(None, "nobody has this password")
    assert not passwords.verify("damaged", "x")


def test_a_hash_of_other_parameters_is_stale(passwords: Argon2Passwords) -> None:
    assert not passwords.stale(passwords.hash("x"))
    other = PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)
    assert passwords.stale(other.hash("x"))
    assert passwords.verify(other.hash("x"), "x")

"""What is signed in a lottery, and as what."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from foundation.kernel import canonical
from foundation.kernel.time import format_instant
from workloads.data_exchange.lottery.draw import Outcome

#: By the exchange: the rules, as they were when applications began.
OPENING = "exchange-lottery-opening+jws"
#: By the exchange: that somebody applied; the applicant keeps it.
APPLICATION = "exchange-lottery-application+jws"
#: By a party: what it committed to, for these rules.
COMMITMENT = "exchange-lottery-commitment+jws"
#: By the exchange: the root of the frozen list, and which commitments were in before.
LIST = "exchange-lottery-list+jws"
#: By a party: its secret, and the list that it saw.
REVEAL = "exchange-lottery-reveal+jws"
#: By the exchange: a round in which a party did not reveal in time.
VOID = "exchange-lottery-void+jws"
#: By the exchange: what was drawn.
RESULT = "exchange-lottery-result+jws"


def opening(lottery: str, rules: str, at: datetime) -> dict[str, Any]:
    """The payload of ``OPENING``."""
    return {"lottery": lottery, "rules": rules, "at": format_instant(at)}


def application(lottery: str, entry: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The payload of ``APPLICATION``."""
    return {"lottery": lottery, "application": entry, "at": format_instant(at)}


def commitment(lottery: str, number: int, rules: str, party: str, committed: str) -> dict[str, Any]:
    """The payload of ``COMMITMENT``."""
    return {
        "lottery": lottery, "round": number, "rules": rules, "party": party,
        "commitment": committed,
    }  # fmt: skip


def reveal(
    lottery: str, number: int, rules: str, root: str, party: str, secret: bytes
) -> dict[str, Any]:
    """The payload of ``REVEAL``: with the root, the party attests the list that it saw."""
    return {
        "lottery": lottery, "round": number, "rules": rules, "root": root, "party": party,
        "secret": secret.hex(),
    }  # fmt: skip


def frozen(
    lottery: str,
    rules: str,
    root: str,
    size: int,
    refused: int,
    commitments: Sequence[str],
    at: datetime,
) -> dict[str, Any]:
    """The payload of ``LIST``: it names the commitments, which were there before the list."""
    return {
        "lottery": lottery, "rules": rules, "root": root, "size": size, "refused": refused,
        "commitments": canonical.digest(list(commitments)), "at": format_instant(at),
    }  # fmt: skip


def void(
    lottery: str,
    number: int,
    missing: Sequence[str],
    commitments: Sequence[str],
    reveals: Sequence[str],
    at: datetime,
) -> dict[str, Any]:
    """The payload of ``VOID``."""
    return {
        "lottery": lottery, "round": number, "missing": list(missing),
        "commitments": list(commitments), "reveals": list(reveals), "at": format_instant(at),
    }  # fmt: skip


def result(
    bundle: Mapping[str, Any], seed: bytes, outcomes: Sequence[Outcome], at: datetime
) -> dict[str, Any]:
    """The payload of ``RESULT``: it holds the digest of all else in the bundle."""
    return {
        "lottery": bundle["lottery"], "seed": seed.hex(), "bundle": canonical.digest(bundle),
        "cutoffs": [[one.pool, one.cutoff, len(one.winners)] for one in outcomes],
        "at": format_instant(at),
    }  # fmt: skip

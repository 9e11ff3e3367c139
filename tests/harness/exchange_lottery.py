"""A lottery for tests: its rules, its parties with keys of their own, and each of its steps."""

import json
from datetime import timedelta

from foundation.kernel.text import Text
from tests.conftest import SettableClock
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.keys.model import POSSESSION
from workloads.data_exchange.lottery import draw, statements
from workloads.data_exchange.lottery.model import Beacon, Lottery, Pool, Rules, Standstill
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey

PARTIES = (HOUSING, TAX)


class Table:
    """The parties of a lottery, each with a key and a secret that the exchange does not hold."""

    def __init__(self, exchange: Exchange, clock: SettableClock) -> None:
        self.exchange, self.clock = exchange, clock
        self.keys = {path: PrivateKey(bytes([n + 1]) * 32) for n, path in enumerate(PARTIES)}
        self.secrets = {path: bytes([n + 65]) * 32 for n, path in enumerate(PARTIES)}

    def register(self, agencies: dict[str, Agency]) -> None:
        for path, private in self.keys.items():
            told = {"agency": agencies[path].id, "kid": private.kid}
            proof = jws.sign(told, private, POSSESSION)
            self.exchange.keys.register(SYSTEM, path, private.public.jwk(), proof)

    def rules(self, *, beacon: bool = False, check: str = "") -> Rules:
        return Rules(
            CIVIL, Text("Plates", "车牌"), "Residents without a car.",
            (Pool("ordinary", 2), Pool("electric", 1)), PARTIES, 12,
            self.clock.now() + timedelta(days=1), 24,
            Beacon("a public beacon", "4711") if beacon else None,
            {"scenario": check} if check else None,
        )  # fmt: skip

    def opened(self, *, beacon: bool = False) -> Lottery:
        made = self.exchange.lotteries.create(SYSTEM, self.rules(beacon=beacon))
        return self.exchange.lotteries.open(SYSTEM, made.id)

    def apply(self, lottery: Lottery, *people: str) -> list[str]:
        """People apply; those whose name begins with X are refused. Answers the pseudonyms."""
        found = []
        for number, person in enumerate(people):
            pool = "electric" if number % 3 == 2 else "ordinary"
            made, _ = self.exchange.lotteries.apply(
                SYSTEM, lottery.id, person=person, pool=pool, chances=1 + number % 3
            )
            self.exchange.lotteries.judge(
                SYSTEM, lottery.id, made.pseudonym, qualified=not person.startswith("X"),
                reason="as checked",
            )  # fmt: skip
            found.append(made.pseudonym)
        return found

    def commitment(self, lottery: Lottery, party: str) -> str:
        committed = draw.commitment(lottery.id, lottery.round, party, self.secrets[party])
        told = statements.commitment(lottery.id, lottery.round, lottery.digest, party, committed)
        return jws.sign(told, self.keys[party], statements.COMMITMENT)

    def commit(self, lottery: Lottery, *parties: str) -> Standstill:
        for party in parties or PARTIES:
            compact = self.commitment(lottery, party)
            found = self.exchange.draws.commit(SYSTEM, lottery.id, compact)
        return found

    def frozen(self, lottery: Lottery) -> Lottery:
        if self.clock.now() < lottery.closes_at:
            self.clock.set(lottery.closes_at)
        return self.exchange.lotteries.freeze(SYSTEM, lottery.id)

    def revealed(self, lottery: Lottery, party: str) -> str:
        root = json.loads(jws.parse(lottery.frozen).payload)["root"]
        told = statements.reveal(
            lottery.id, lottery.round, lottery.digest, root, party, self.secrets[party]
        )
        return jws.sign(told, self.keys[party], statements.REVEAL)

    def reveal(self, lottery: Lottery, *parties: str) -> Standstill:
        for party in parties or PARTIES:
            compact = self.revealed(lottery, party)
            found = self.exchange.draws.reveal(SYSTEM, lottery.id, compact)
        return found

    def drawn(self, *people: str) -> Lottery:
        lottery = self.opened()
        self.apply(lottery, *people)
        self.commit(lottery)
        return self.reveal(self.frozen(lottery)).lottery

"""kill -9 right before and after a step of a lottery is written: it is there whole, or not."""

import multiprocessing
import os
import signal
from datetime import datetime
from pathlib import Path

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from tests.conftest import SettableClock
from tests.harness.exchange import HOUSING, SYSTEM, TAX, exchange_database, furnish
from tests.harness.exchange_lottery import Table
from workloads.data_exchange.bootstrap import open_exchange
from workloads.data_exchange.lottery.model import LotteryState
from workloads.data_exchange.lottery.verify import verify
from workloads.data_exchange.settings import Settings


def step(home: str, url: str, at: datetime, lottery_id: str, name: str, when: str) -> None:
    """What the process does that is killed."""
    clock = SettableClock(at)
    given = Settings(home=Path(home), database_url=url)
    with open_exchange(given, upgrade=False, clock=clock) as exchange:
        table, database = Table(exchange, clock), exchange.base.database
        lottery = exchange.lotteries.lottery(SYSTEM, lottery_id).lottery
        with database.transaction():
            if name == "commit":
                table.commit(lottery, TAX)
            elif name == "freeze":
                exchange.lotteries.freeze(SYSTEM, lottery_id)
            else:
                table.reveal(lottery, TAX)
            if when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def test_killed_at_each_step(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    clock = SettableClock()
    with exchange_database(postgres) as url:
        given = Settings(home=tmp_path, database_url=url)
        with open_exchange(given, upgrade=False, clock=clock) as exchange:
            table = Table(exchange, clock)
            table.register(furnish(exchange))
            lottery = table.opened()
            table.apply(lottery, "A", "B", "C")
            table.commit(lottery, HOUSING)

            def killed(name: str, when: str) -> LotteryState:
                given = (str(tmp_path), url, clock.now(), lottery.id, name, when)
                process = multiprocessing.get_context("fork").Process(target=step, args=given)
                process.start()
                process.join(60)
                assert process.exitcode == -signal.SIGKILL
                return exchange.lotteries.lottery(SYSTEM, lottery.id).lottery.state

            assert killed("commit", "before") is LotteryState.OPEN
            assert killed("commit", "after") is LotteryState.COMMITTED
            clock.set(lottery.closes_at)
            assert killed("freeze", "before") is LotteryState.COMMITTED
            assert killed("freeze", "after") is LotteryState.FROZEN
            frozen = exchange.lotteries.lottery(SYSTEM, lottery.id).lottery
            table.reveal(frozen, HOUSING)
            assert killed("reveal", "before") is LotteryState.REVEALING
            assert killed("reveal", "after") is LotteryState.DRAWN
            assert len(verify(exchange.draws.bundle(lottery.id)).entries) == 3

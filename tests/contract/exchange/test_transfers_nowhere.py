"""An exchange that was given no place for files says so wherever somebody would send one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.errors import Conflict, Forbidden, NotFound, Unavailable
from tests.conftest import SettableClock
from tests.fakes.catalogue import FakeCatalogue, households
from tests.harness.agreements import STEWARD
from tests.harness.exchange import CIVIL, SYSTEM, furnish, opened
from tests.harness.exchange_transfers import OTHER, digest, post
from tests.harness.loops import run
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.transfers.model import BatchState
from workloads.data_exchange.transfers.nowhere import WHY


@pytest.fixture
def stores(
    postgres: EmbeddedPostgres, tmp_path: Path, clock: SettableClock
) -> Iterator[tuple[Exchange, Exchange]]:
    """The same exchange with a folder, and after its operator has taken that away."""
    with opened(postgres, tmp_path, clock) as before:
        furnish(before)
        settings = replace(before.settings, transfers=False)
        catalogue = FakeCatalogue(households(CIVIL))
        with open_exchange(settings, upgrade=False, clock=clock, catalogue=catalogue) as after:
            yield before, after


def test_no_batch_is_begun_and_no_file_announced(stores: tuple[Exchange, Exchange]) -> None:
    before, after = stores

    async def story() -> None:
        async with post(before) as there:
            batch = there.batch()
            with pytest.raises(Conflict, match="has no store for files"):
                after.handing.batches.create(STEWARD, there.agreement, title="t", days=1)
            assert after.handing.batches.why_not == WHY
            assert before.handing.batches.why_not == ""
            with pytest.raises(Conflict, match="has no store for files"):
                after.handing.uploads.create(SYSTEM, batch.id, name="a", size=1, meta="")
            # Who may not send at all learns no more than before.
            with pytest.raises((Forbidden, NotFound)) as caught:
                after.handing.batches.create(OTHER, there.agreement, title="t", days=1)
            assert WHY not in str(caught.value)

    run(story())


def test_what_was_kept_before_is_not_taken_for_damaged(stores: tuple[Exchange, Exchange]) -> None:
    before, after = stores

    async def story() -> None:
        async with post(before) as there:
            batch = there.batch().id
            await there.put(batch, "a.csv", b"id")
            listed = [{"name": "a.csv", "size": 2, "digest": digest(b"id")}]
            before.handing.batches.seal(SYSTEM, batch, files=listed)
            # The store is away, which is no verdict on the file: the check waits.
            (file,) = after.handing.checking.files(batch)
            with pytest.raises(Unavailable, match="does not answer"):
                after.handing.checking.digest(file, lambda: False, lambda _part: None)
            assert after.handing.checking.sweep() == 0
            there.check(batch)
            found = before.handing.batches.batch(SYSTEM, batch)
            assert found.state is BatchState.PUBLISHED

    run(story())

import itertools
import random
from collections import Counter

import pytest

from workloads.video_analytics.vision.model import RuleKind, RuleSpec, Tier
from workloads.video_analytics.workers.capacity import weights
from workloads.video_analytics.workers.model import (
    BackOff,
    Governor,
    Ranked,
    Step,
    Strain,
    Worker,
    degradations,
    look,
    share,
    tier_of,
)
from workloads.video_analytics.workers.stamps import Played, Stamps

SHARDS = range(512)


def worker(name: str, capacity: float = 2.0) -> Worker:
    return Worker(f"wrk_{name}", name, capacity)


class TestShare:
    def test_every_shard_has_one_worker_and_the_order_of_workers_is_the_same(self) -> None:
        three = [worker("a"), worker("b"), worker("c")]
        found = share(weights(three), SHARDS)
        assert found.keys() == set(SHARDS)
        assert share(weights(three[::-1]), SHARDS) == found

    def test_shares_follow_the_capacity(self) -> None:
        count = Counter(share(weights([worker("a", 1), worker("b", 3)]), SHARDS).values())
        assert 0.65 < count["wrk_b"] / 512 < 0.85

    def test_who_leaves_moves_its_own_shards_alone(self) -> None:
        before = share(weights([worker("a"), worker("b"), worker("c")]), SHARDS)
        after = share(weights([worker("a"), worker("b")]), SHARDS)
        assert all(after[s] == who for s, who in before.items() if who != "wrk_c")

    def test_nobody_or_nobody_able(self) -> None:
        assert share({}, SHARDS) == {}
        assert share(weights([worker("a", 0)]), SHARDS) == {}


class TestDegradations:
    CAMERAS = (
        Ranked("full", Tier.FULL, 1), Ranked("low2", Tier.LOW_RATE, 2),
        Ranked("low9", Tier.LOW_RATE, 9), Ranked("key", Tier.KEY_FRAMES, 9),
        Ranked("seen", Tier.ACCESS, 0),
    )  # fmt: skip

    def test_the_lowest_tier_and_priority_give_way_first(self) -> None:
        assert degradations(self.CAMERAS) == [
            ("key", Step.FEWER), ("key", Step.HEALTH),
            ("low2", Step.FEWER), ("low9", Step.FEWER), ("low2", Step.KEYS), ("low9", Step.KEYS),
            ("low2", Step.HEALTH), ("low9", Step.HEALTH),
            ("full", Step.FEWER), ("full", Step.KEYS), ("full", Step.HEALTH),
        ]  # fmt: skip

    def test_each_step_is_less_than_the_one_before(self) -> None:
        ranks = [Tier.ACCESS, Tier.KEY_FRAMES, Tier.LOW_RATE, Tier.FULL]
        for tier in Tier:
            steps = [Step.WHOLE, *(s for c, s in degradations([Ranked("c", tier, 1)]) if c == "c")]
            if tier is Tier.ACCESS:
                continue
            tiers = [ranks.index(tier_of(tier, step)) for step in steps]
            assert tiers == sorted(tiers, reverse=True)

    def test_colour_is_decoded_for_rules_that_need_it(self) -> None:
        plate = RuleSpec("r", 1, RuleKind.PLATE)
        assert look(Tier.LOW_RATE, Step.WHOLE).colour is False
        assert look(Tier.LOW_RATE, Step.WHOLE, [plate]).colour is True
        assert look(Tier.LOW_RATE, Step.WHOLE, [plate]).width == 1280
        assert look(Tier.LOW_RATE, Step.HEALTH, [plate]).colour is False


class TestGovernor:
    BAD, GOOD, FAIR = Strain(4.0, 0.5, 1.0), Strain(0.1, 0.0, 0.5), Strain(1.0, 0.05, 0.9)

    def test_much_is_given_up_at_once_and_given_back_with_care(self) -> None:
        governor, now = Governor(calm_seconds=10), 0.0
        for _ in range(5):
            now += 2
            governor.observe(self.BAD, 100, now)
        assert governor.pressure == 50
        now += 2
        assert governor.observe(self.GOOD, 100, now) == 50
        seen = []
        while governor.pressure:
            now += 2
            seen.append(governor.observe(self.GOOD, 100, now))
        assert seen == [50] * 4 + [45] * 5 + [35] * 5 + [15] * 5 + [
            0
        ]  # each ten seconds twice as much

    def test_after_a_relapse_little_is_given_back_each_time(self) -> None:
        governor, now = Governor(calm_seconds=10), 0.0
        for strain in (self.BAD, self.BAD, self.BAD):
            governor.observe(strain, 100, now)
        while governor.pressure == 30:
            now += 1
            governor.observe(self.GOOD, 100, now)
        assert governor.observe(self.BAD, 100, now + 1) == 35
        seen = [governor.observe(self.GOOD, 100, now + 2 + n) for n in range(70)]
        assert sorted(set(seen)) == [20, 25, 30, 35]

    def test_neither_good_nor_bad_changes_nothing(self) -> None:
        governor = Governor(calm_seconds=1)
        governor.observe(self.BAD, 100, 0)
        assert [governor.observe(self.FAIR, 100, at) for at in range(1, 60)] == [10] * 59

    def test_a_relapse_doubles_the_wait(self) -> None:
        governor, now, waits = Governor(calm_seconds=10), 0.0, []
        for _ in range(3):
            governor.observe(self.BAD, 10, now)
            before, began = governor.pressure, now
            while governor.pressure == before:
                now += 1
                governor.observe(self.GOOD, 10, now)
            waits.append(now - began)
            now += 1
        assert waits[0] < waits[1] < waits[2]

    def test_never_more_than_there_is(self) -> None:
        governor = Governor()
        for at in range(100):
            governor.observe(self.BAD, 7, at)
        assert governor.pressure == 7
        assert governor.observe(self.FAIR, 3, 101) == 3


class TestStamps:
    def test_a_clock_that_drifts_is_followed_without_a_jump(self) -> None:
        stamps = Stamps()
        found = [stamps.at(n * 0.04 * 1.001, 1000 + n * 0.04) for n in range(25_000)]
        steps = [b - a for a, b in itertools.pairwise(found)]
        assert all(0 < step < 0.06 for step in steps)
        assert abs(found[-1] - (1000 + 24_999 * 0.04)) < 2
        assert stamps.wrong == 0

    @pytest.mark.parametrize("seed", range(5))
    def test_whatever_the_stamps_do_times_grow_and_stay_near_the_arrival(self, seed: int) -> None:
        source = random.Random(seed)  # noqa: S311 - the same nonsense each time
        stamps, last = Stamps(), 0.0
        for n in range(2000):
            stamp = source.choice(
                [None, n * 0.04, n * 0.04, n * 0.04, source.uniform(-1e6, 1e6), 0.0]
            )
            at = stamps.at(stamp, 5000 + n * 0.04)
            assert at > last
            assert abs(at - (5000 + n * 0.04)) <= 4.1
            last = at

    def test_a_film_goes_on_after_a_step_back(self) -> None:
        played = Played(100.0, 10)
        stamps = [0.0, 0.1, 0.2, 0.0, 0.1, None, 900.0, 900.1]
        found = [played.position(stamp) for stamp in stamps]
        assert found == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
        assert played.wrong == 2

    def test_a_loop_goes_on_where_it_ended(self) -> None:
        played = Played(0.0, 10)
        found = [played.position(s) for s in (5.0, 5.1)]
        played.again()
        found += [played.position(s) for s in (5.0, 5.1)]
        assert found == pytest.approx([0, 0.1, 0.2, 0.3])


def test_waits_double_up_to_the_longest_and_begin_anew() -> None:
    back_off = BackOff(1, 10)
    assert [back_off.wait(1.0) for _ in range(5)] == [1, 2, 4, 8, 10]
    assert back_off.wait(0.0) == 5
    back_off.reset()
    assert back_off.wait(1.0) == 1

import threading
import time

import pytest

from workloads.data_exchange.directory.turns import Turns

_LONG = 10.0


def wait_for(count: int, turns: Turns) -> None:
    deadline = time.monotonic() + _LONG
    while turns.waiting != count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_each_has_its_turn_in_the_order_in_which_they_came() -> None:
    turns, seen = Turns(1), []

    def work(number: int) -> None:
        with turns:
            seen.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    with turns:
        for number, thread in enumerate(threads):
            thread.start()
            wait_for(number + 1, turns)
        assert seen == []
    for thread in threads:
        thread.join(_LONG)
    assert seen == list(range(20))


def test_so_many_are_in_at_once_and_no_more() -> None:
    turns, together, leave = Turns(3), threading.Barrier(4), threading.Event()

    def work() -> None:
        with turns:
            together.wait(_LONG)
            leave.wait(_LONG)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    together.wait(_LONG)
    late = threading.Thread(target=turns.__enter__)
    late.start()
    wait_for(1, turns)
    leave.set()
    late.join(_LONG)
    assert not late.is_alive()
    assert turns.waiting == 0


def test_a_place_is_free_again_after_a_failure() -> None:
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"), turns:
            raise ValueError("no")
    with turns:
        assert turns.waiting == 0

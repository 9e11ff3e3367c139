"""One OpenStack service gets so much work at once; what is more waits for its turn."""

import random
import threading

import pytest

from control_plane.adapters.pulumi.turns import Turns, service_of


@pytest.mark.parametrize(
    ("type_", "service"),
    [
        ("openstack:compute/instance:Instance", "compute"),
        ("openstack:networking/secGroupRule:SecGroupRule", "networking"),
        ("kubernetes:apps/v1:Deployment", ""),
        ("pulumi:providers:openstack", ""),
        ("sample:index:Thing", ""),
    ],
)
def test_the_service_of_a_type(type_: str, service: str) -> None:
    assert service_of(type_) == service


def test_so_many_at_once_and_the_rest_in_order() -> None:
    turns, begun = Turns(2), []
    for number in range(5):
        turns.take("compute", lambda n=number: begun.append(n))  # type: ignore[misc]
    assert begun == [0, 1]
    turns.end("compute")
    assert begun == [0, 1, 2]
    turns.end("compute")
    turns.end("compute")
    assert begun == [0, 1, 2, 3, 4]
    turns.end("compute")
    turns.end("compute")
    turns.take("compute", lambda: begun.append(5))
    assert begun[-1] == 5


def test_services_do_not_wait_for_each_other_and_what_has_none_never_waits() -> None:
    turns, begun = Turns(1), []
    for service in ("compute", "compute", "networking", "", ""):
        turns.take(service, lambda s=service: begun.append(s))  # type: ignore[misc]
    assert begun == ["compute", "networking", "", ""]


def test_threads_that_end_and_begin_never_exceed_it() -> None:
    turns, lock = Turns(3), threading.Lock()
    running = most = done = 0
    over = threading.Event()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)

        def end() -> None:
            nonlocal running, done
            with lock:
                running -= 1
                done += 1
                if done == 60:
                    over.set()
            turns.end("compute")

        threading.Timer(random.random() / 200, end).start()  # noqa: S311 - a pause

    for _ in range(60):
        turns.take("compute", work)
    assert over.wait(20)
    assert most == 3

"""A limit for a whole exchange with a server."""

import socket

from foundation.kernel.deadline import Deadline


def test_it_hangs_up_when_the_time_is_over() -> None:
    left, right = socket.socketpair()
    with left, right, Deadline(0.05) as deadline:
        deadline.hold(left)
        right.sendall(b"a")
        assert left.recv(1) == b"a"
        assert not deadline.over
        assert left.recv(1) == b""
        assert deadline.over
        assert right.recv(1) == b""


def test_what_is_opened_too_late_is_hung_up_at_once() -> None:
    first, second = socket.socketpair(), socket.socketpair()
    with first[0], first[1], second[0], second[1], Deadline(0.05) as deadline:
        assert deadline.hold(first[0]).recv(1) == b""
        assert deadline.hold(second[0]).recv(1) == b""


def test_who_is_done_in_time_is_left_alone() -> None:
    left, right = socket.socketpair()
    with left, right:
        with Deadline(30) as deadline:
            deadline.hold(left)
        right.sendall(b"a")
        assert left.recv(1) == b"a"
        assert not deadline.over

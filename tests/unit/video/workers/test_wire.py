"""Messages between the processes: whole, in halves, cut off, and the frames that wait for them."""

import os
import threading

import numpy as np
import pytest

from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.decoder import Sender
from workloads.video_analytics.workers.orders import Picture


def _picture(at: float) -> Picture:
    return Picture(at, np.full((180, 320), 7, np.uint8), False, 0.0, at, 0.0, 0)


def test_a_message_larger_than_the_pipe_comes_whole() -> None:
    inward, outward = os.pipe()
    parts = (b"", bytes(range(256)) * 4096, b"end")
    writing = threading.Thread(target=wire.write, args=(outward, {"is": "frame"}, *parts))
    writing.start()
    found = wire.read(inward)
    writing.join()
    assert found is not None
    assert found.header["is"] == "frame"
    assert tuple(bytes(part) for part in found.parts) == parts
    os.close(outward)
    assert wire.read(inward) is None
    os.close(inward)


@pytest.mark.parametrize("missing", [1, 5, 300])
def test_a_message_cut_off_is_the_end(missing: int) -> None:
    inward, outward = os.pipe()
    whole = b"".join(bytes(piece) for piece in wire.pack({"is": "frame"}, bytes(300)))
    os.write(outward, whole[:-missing])
    os.close(outward)
    assert wire.read(inward) is None
    os.close(inward)


def test_who_waits_for_its_frame_to_be_taken_is_woken_and_others_are_replaced() -> None:
    inward, outward = os.pipe()
    sender = Sender(outward)
    for at in (1.0, 2.0):
        sender.frame("live", _picture(at), wait=False)
    sender.frame("file", _picture(1.0), wait=True)
    second = threading.Thread(target=sender.frame, args=("file", _picture(2.0), True))
    stopped = threading.Thread(target=sender.frame, args=("file", _picture(3.0), True))
    second.start()
    threading.Thread(target=sender.run, daemon=True).start()
    found = [wire.read(inward) for _ in range(3)]
    second.join(10)
    assert not second.is_alive()
    heads = [message.header for message in found if message is not None]
    assert [(h["camera"], h["at"], h["dropped"]) for h in heads] == [
        ("live", 2.0, 1), ("file", 1.0, 0), ("file", 2.0, 0),
    ]  # fmt: skip
    sender.forget("file")
    stopped.start()
    stopped.join(10)
    assert not stopped.is_alive()
    # The sender waits for more until this process ends; its end of the pipe stays open.

"""Streams a core and memory a stream, beside a plain OpenCV loop; in short.

``python -m tests.benchmarks.video.streams`` has all cases, longer.
"""

from tests.benchmarks.video.streams import CASES, table


def test_streams_a_core() -> None:
    print()
    table(CASES[:5], seconds=20, rounds=1)

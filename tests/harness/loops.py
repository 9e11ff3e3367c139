"""Runs coroutines of tests, in a thread of their own.

A browser that is shared by the tests of a process keeps an event loop running in the main thread.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine answers."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()

"""Calls that take long, made in a few threads: beyond those it says no at once, so that nobody can pile up work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

T = TypeVar("T")


class BusyError(Exception):
    """As many calls as there may be are under way."""


class Bounded:
    """Makes at most `most` calls at a time; safe for threads."""

    def __init__(self, most: int, name: str) -> None:
        self.most = most
        self._threads = ThreadPoolExecutor(most, thread_name_prefix=name)
        self._free = BoundedSemaphore(most)

    async def call(self, what: Callable[..., T], *arguments: object) -> T:
        """Call `what` in a thread; raises BusyError, and whatever the call raises.

        Who is cancelled meanwhile leaves the call behind, and its place taken until it ends.
        """
        if not self._free.acquire(blocking=False):
            raise BusyError
        future = self._threads.submit(what, *arguments)
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.wrap_future(future)

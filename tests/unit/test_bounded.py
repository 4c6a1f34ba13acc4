"""A few calls at a time, and no for the rest."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from exporter.bounded import Bounded, BusyError


class Gate:
    """Calls that wait until they are let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self, answer: Any) -> Any:
        self.entered.release()
        assert self.open.wait(30)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def inside(self, calls: int) -> None:
        for _ in range(calls):
            assert self.entered.acquire(timeout=30)


def test_one_too_many_is_refused_and_taken_once_there_is_room() -> None:
    async def main() -> None:
        bounded, gate = Bounded(2, "few"), Gate()
        under_way = [asyncio.create_task(bounded.call(gate, number)) for number in range(2)]
        await asyncio.to_thread(gate.inside, 2)
        for _ in range(3):
            with pytest.raises(BusyError):
                await bounded.call(gate, "no")
        gate.open.set()
        assert await asyncio.gather(*under_way) == [0, 1]
        assert [await bounded.call(gate, number) for number in range(5)] == [0, 1, 2, 3, 4]

    asyncio.run(main())


def test_a_call_that_raises_or_whose_caller_is_gone_gives_its_place_back_when_it_ends() -> None:
    async def main() -> None:
        bounded, gate = Bounded(2, "few"), Gate()
        fails = asyncio.create_task(bounded.call(gate, ValueError("x")))
        leaves = asyncio.create_task(bounded.call(gate, 1))
        await asyncio.to_thread(gate.inside, 2)
        leaves.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaves
        with pytest.raises(BusyError):
            await bounded.call(gate, "no")
        gate.open.set()
        with pytest.raises(ValueError, match=r"^x$"):
            await fails
        while True:
            try:
                assert await bounded.call(gate, 2) == 2
            except BusyError:
                await asyncio.sleep(0.01)
            else:
                break

    asyncio.run(asyncio.wait_for(main(), 30))

"""The exporter as a process with two hundred consoles, of which fifty hang: the others are read on time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.meshes import FLEET, configuration, counted
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.real.scale import FULL
from tests.unit.test_many_consoles import CONSOLES, HANGING, Consoles

ROUNDS = 100 if FULL else 10
TIMEOUT = 10
LATE = ROUNDS * TIMEOUT / 2
"""Seconds for all rounds, which begin every second; a round that waited for those that hang would take `TIMEOUT`."""


def threads(rollcall: Rollcall) -> int:
    """Threads of the exporter."""
    return len(list(Path(f"/proc/{rollcall.process.pid}/task").iterdir()))


@pytest.mark.timeout(900)
def test_two_hundred_consoles_of_which_fifty_hang(tmp_path: Path) -> None:
    """For ten rounds; with ROLLCALL_FULL=1 for a hundred."""
    with Consoles() as consoles:
        urls = [f"http://127.0.0.1:{consoles.port}/c{number}" for number in range(CONSOLES)]
        timing = configuration(urls, interval="1s", timeout=f"{TIMEOUT}s", stale_after="60s")
        with Rollcall(tmp_path, timing) as rollcall:

            def rounds() -> int:
                return min(consoles.asked[number] for number in range(HANGING, CONSOLES))

            wait_until(lambda: rounds() >= 3, "three rounds")
            early = threads(rollcall)
            wait_until(lambda: rounds() >= ROUNDS, f"{ROUNDS} rounds", LATE)
            wait_until(
                lambda: min(consoles.asked[number] for number in range(HANGING)) > 1, "hanging ones, asked again"
            )
            # Those that answer are asked for more on threads that end with the answer.
            wait_until(lambda: threads(rollcall) < early + HANGING / 2, "no more threads than before")
            samples = rollcall.scrape()
    up = [value for _, value in samples.find("rollcall_source_up", fleet=FLEET)]
    assert (len(up), sum(up)) == (CONSOLES, CONSOLES - HANGING)
    assert counted(samples) == {("standby", "confirmed"): CONSOLES - HANGING}

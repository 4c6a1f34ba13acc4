"""`rollcall status --watch` at a real terminal: it fills it, follows the fleet and the terminal's size, and ends."""

from __future__ import annotations

import sys

import msgspec

from exporter.overview import FleetRow, Overview, WorkerRow
from tests.real.terminal import terminal
from tests.unit.loopback import Loopback, answer, sends

BEGINNING, END = "\x1b[?7l\x1b[H", "\x1b[J\x1b[?7h"
INTERRUPT = b"\x03"
LINES = 10


def answered(status: str) -> bytes:
    """An exporter's answer: forty workers, all in a status."""
    workers = tuple(WorkerRow(fleet="training", worker=f"runner-{number}", status=status) for number in range(40))
    fleet = FleetRow(fleet="training", workers={status: len(workers)}, sources=1)
    said = Overview(at=1e9, version="1", fleets=(fleet,), workers=workers, of={"workers": len(workers)})
    return answer(msgspec.json.encode(said))


def screens(shown: str) -> list[list[str]]:
    """The lines of every screen that was drawn to its end."""
    drawn = [part.partition(END)[0] for part in shown.split(BEGINNING)[1:] if END in part]
    return [text.replace("\r\n", "\n").split("\x1b[K\n")[:-1] for text in drawn]


def test_it_follows_the_fleet_and_the_terminal_until_it_is_interrupted() -> None:
    busy, away, unknown = answered("busy"), answer(b'{"error": "is away"}', status="503 Busy"), answered("unknown")
    with Loopback(*map(sends, (busy, away, unknown))) as server:
        command = (
            sys.executable,
            "-m",
            "exporter.cli",
            "status",
            "--watch",
            "--url",
            f"http://127.0.0.1:{server.port}",
        )
        with terminal(*command, lines=LINES, columns=40) as screen:
            screen.shows("40 busy")
            screen.shows("rollcall: is away")
            screen.shows("40 unknown")
            screen.resize(2 * LINES, 40)
            shown = screen.shows("runner-10")
            screen.type(INTERRUPT)
            assert screen.end() == 0
    full, why, *others = screens(shown)
    assert (full[0], len(full), full[-1]) == ("2001-09-09 01:46:40 UTC, Rollcall 1", LINES - 1, "… 39 more lines")
    assert why == ["rollcall: is away"]
    assert {len(each) for each in others} == {LINES - 1, 2 * LINES - 1}
    assert shown.count(BEGINNING) - shown.count(END) in (0, 1)

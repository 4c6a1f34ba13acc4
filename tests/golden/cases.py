"""The golden cases: captured payloads in, a whole exposition out.

Each case is one moment of one fleet: the consoles or the store that were read, with what they answered. The readings go
the exporter's own way: `parse` or `read`, the fleet's rules, the families, the text; and the health of each source is
that of one read that took 31.25 ms.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

from exporter.endpoint import parse_url
from exporter.exposition import Exposition, Format, Snapshot
from exporter.families import POLLED
from exporter.health import SourceHealth
from exporter.isolate import Attempted
from exporter.records.table import Tables
from exporter.sources.fetch import Resolver
from exporter.sources.lightning import AgentLightning
from exporter.sources.mesh_llm import MeshConsole, parse
from exporter.sources.source import Deadline, Pace, Reading, Source
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.golden.answers import CannedStore, store_answer
from tests.golden.canned_console import CannedConsole

GOLDEN = Path(__file__).parent
MESH = GOLDEN / "mesh-llm-0.66.0"
STORE = GOLDEN / "agentlightning-0.3.0"
SERVER = GOLDEN / "made/agentlightning-1.0.0"
READ_AT = 1_795_400_000.0
ANSWERS = "../mesh-llm-0.66.0-answers"
OPTIONAL = ("runtime/llama", "runtime/stages", "model-targets")
SUFFIXES = {Format.TEXT: ".txt", Format.OPENMETRICS: ".om"}

Readings = list[tuple[Source, Reading]]


class Case(NamedTuple):
    """What was read of a fleet, where its golden files are, and the fleet's rules."""

    path: Path
    read: Callable[[], Readings]
    rules: WorkerRules = WorkerRules()

    @property
    def name(self) -> str:
        return str(self.path.relative_to(GOLDEN))

    def file(self, form: Format) -> Path:
        """The golden file of a format."""
        return self.path.parent / (self.path.name + SUFFIXES[form])

    def texts(self) -> dict[Format, bytes]:
        """The whole exposition in each format."""
        readings = self.read()
        fleet = Fleet(readings[0][0].fleet, self.rules, Limits())
        shown = snapshot(fleet, readings)
        return {form: whole(shown, form) for form in Format}


def snapshot(fleet: Fleet, readings: Sequence[tuple[Source, Reading]]) -> Snapshot:
    """What Rollcall shows after a good read of each source; one that comes again was judged with all before."""
    healths: dict[int, SourceHealth] = {}
    for source, reading in readings:
        if id(source) in healths:
            fleet.tables(now=0.0)
        health = healths.setdefault(id(source), SourceHealth(source))
        health.take(Attempted(reading, "ok", "", 0.03125), READ_AT)
        fleet.receive(source.name, reading, fresh_until=1.0)
    records = [record for health in healths.values() for record in health.records()]
    tables, left_out = fleet.tables(now=0.0)
    sources: Tables = {kind: tuple(row for row in records if type(row) is kind) for kind in set(map(type, records))}
    slices: dict[str, Tables | None] = {"sources": sources, f"fleet {fleet.name}": tables}
    return Exposition(POLLED, limit=10**6).publish(slices, {f"fleet {fleet.name}": left_out})


def whole(shown: Snapshot, form: Format) -> bytes:
    """An exposition with its end."""
    return b"".join([*shown.chunks(form), form.end])


def console(url: str, fleet: str = "eu") -> MeshConsole:
    """A console that nothing connects to."""
    return MeshConsole(fleet, parse_url(url, 3131), Resolver(), Pace(5, 3, 15))


def mesh_case(name: str, payloads: dict[str, str]) -> Case:
    """A mesh read through consoles, by host name: the file that each answered with."""

    def read() -> Readings:
        return [
            (console(f"http://{host}:3131"), parse((MESH / payload).read_bytes(), "eu"))
            for host, payload in payloads.items()
        ]

    return Case((MESH / name).resolve(), read)


def whole_mesh_case(name: str, payloads: dict[str, tuple[str, str]]) -> Case:
    """A mesh whose consoles answer for more: by host name, the file of the status, and how those of the rest begin."""

    def read() -> Readings:
        readings: Readings = []
        for host, (status, start) in payloads.items():
            rest = {path: MESH / f"{start}{path.replace('/', '-')}.json" for path in OPTIONAL}
            door = CannedConsole({f"/api/{path}": at.read_bytes() for path, at in rest.items() if at.exists()})
            readings.append((console(f"http://{host}:3131"), door.added_to(parse((MESH / status).read_bytes(), "eu"))))
        return readings

    return Case((MESH / name).resolve(), read)


def captured(name: str) -> Any:
    """A captured answer of the store, without the request that the file names beside it."""
    said = json.loads((STORE / f"{name}.json").read_text())
    return said.get("response", said)


def store_case(
    name: str, date: float, *reads: Callable[[], Any], heartbeat_timeout: float = 45, after: float = 0
) -> Case:
    """A store that answers each read as the next of `reads` gives, its clock at `date`, `after` it in the last read."""

    def readings() -> Readings:
        store = CannedStore()
        for before in reads[:-1]:
            store.read(before(), date)
        return [(store.source, store.read(reads[-1](), date + after))]

    return Case(STORE / name, readings, WorkerRules(heartbeat_timeout))


def shared_case(name: str) -> Case:
    """A store that is read at every poll of a capture; each has the Date of its answers and what the store listed."""

    def readings() -> Readings:
        store, polls = CannedStore(), json.loads((STORE / f"{name}.json").read_text())
        dates = [parsedate_to_datetime(poll["date"]).timestamp() for poll in polls]
        answers = [store_answer(poll["workers"], poll["rollouts"], poll["statistics"]["uptime"]) for poll in polls]
        return [(store.source, store.read(answer, date)) for answer, date in zip(answers, dates, strict=True)]

    return Case(STORE / name, readings)


def server_case(name: str) -> Case:
    """A 1.x server that is read twice: its unfinished rollouts, and its log in the pages of the files."""

    def readings() -> Readings:
        files = {
            "/api/rollouts?state_in=queuing&state_in=running&limit=500": SERVER / "rollouts.json",
            **{f"/api/rollouts/terminal?after={at}&limit=1000": SERVER / f"log-{at}.json" for at in (0, 4)},
        }
        door = CannedConsole({"/healthz": b'{"status":"ok"}', **{path: at.read_bytes() for path, at in files.items()}})
        trainer = parse_url("http://trainer:8080", 4747)
        source = AgentLightning("training", trainer, Resolver(), Pace(10, 5, 30), connect=door)
        source.read(Deadline(20))
        return [(source, source.read(Deadline(20)))]

    return Case(SERVER / name, readings)


def _dequeued() -> Any:
    said = captured("rollouts")["items"]
    held = [{**rollout, "status": "preparing"} for rollout in said if "attempt" in rollout]
    return store_answer(captured("workers-after-dequeue")["items"], held, 1.0)


def _mixed() -> Any:
    rollouts = captured("rollouts")["items"]
    attempts = {rollout["rollout_id"]: [rollout["attempt"]] for rollout in rollouts if "attempt" in rollout}
    return store_answer(captured("workers-mixed")["items"], rollouts, captured("statistics")["uptime"], attempts)


def _killed() -> Any:
    said = captured("s2a-t0045")
    return store_answer(said["workers"]["items"], said["rollouts"]["items"], said["statistics"]["uptime"])


def _replaced() -> Any:
    before, said = captured("s2a-t0045"), captured("s2a-t0214")
    uptime = before["statistics"]["uptime"] + said["now"] - before["now"]
    return store_answer(said["workers"]["items"], before["rollouts"]["items"], uptime)


MESH_CASES = (
    *(mesh_case(path.stem, {"node": path.name}) for path in sorted(MESH.glob("status-*.json"))),
    whole_mesh_case("mesh4", {node: (f"mesh4/{node}-status.json", f"{ANSWERS}/{node}-") for node in "abcd"}),
    # What no capture has: wakeable nodes, reserved GPU memory, hostile text, malformed parts. Made by hand.
    mesh_case("../made/status", {"node": "../made/status.json"}),
    # A split model, and models that clients asked for. Made by hand after mesh-llm 0.66's payload types.
    whole_mesh_case("../made/split", {"node": ("../made/split/status.json", "../made/split/")}),
)

STORE_CASES = (
    # The five workers, an instant after the last answer of the capture.
    store_case("mixed", 1795330870.25, _mixed),
    # The same, but the store was read once before, while runner-2 still held the attempt that timed out.
    store_case("mixed-read-before", 1795330870.25, _dequeued, _mixed),
    # The same store, whose workers left: every one has been silent for 46 s, and one for whom the store says busy.
    store_case("mixed-46s-later", 1795330870.25, _mixed, after=46),
    # Worker-1 was killed while busy 37 s ago; its last evidence is 40 s old.
    store_case("s2a-t0045", captured("s2a-t0045")["now"], _killed, heartbeat_timeout=30),
    # A new runner took Worker-1's id: idle, though the store still lists the killed one's attempt.
    store_case("s2a-t0214", captured("s2a-t0214")["now"], _replaced),
    # Trainers on two hosts, one in New York, whose runners are Worker-0 both: one works on a rollout, and the other's
    # empty dequeues make the id idle.
    shared_case("shared-id"),
    # A server of Agent Lightning 1.x, whose trainer deletes what it has fetched. Made by hand after upstream's types.
    server_case("server"),
)

CASES = MESH_CASES + STORE_CASES

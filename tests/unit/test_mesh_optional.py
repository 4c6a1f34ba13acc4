"""Optional answers of a console never cost its status: when they are asked for, for how long, and what is left."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from exporter.endpoint import parse_url
from exporter.records import ModelTarget, NodeSlots, NodeStage
from exporter.records.reading import MeshReading
from exporter.sources.fetch import Resolver, Session
from exporter.sources.mesh_capacity import PAUSE, OptionalAnswers
from exporter.sources.mesh_llm import MeshConsole, parse
from exporter.sources.source import Deadline, SourceError
from exporter.state.capacity_tables import capacity_tables
from exporter.state.fleet import MODEL_TARGETS, Fleet, Limits, WorkerRules
from tests.golden.canned_console import CannedConsole
from tests.unit.loopback import Loopback, answer, sends

LLAMA, TARGETS, STAGES = "/api/runtime/llama", "/api/model-targets", "/api/runtime/stages"
FIELDS = {LLAMA: "runtime_llama", TARGETS: "model_targets", STAGES: "runtime_stages"}
INSTANCE = {"model": "m", "slots": {"status": "ready"}, "items": {"slots_total": 4, "slots_busy": 1}}
STAGE = {"model_id": "m", "layer_start": 0, "layer_end": 16}
ANSWERS = {
    LLAMA: json.dumps({"instances": [INSTANCE]}).encode(),
    TARGETS: b'{"model_targets": [{"model_ref": "r"}]}',
    STAGES: json.dumps({"stages": [STAGE, {**STAGE, "node_id": "b", "layer_start": 16, "layer_end": 32}]}).encode(),
}
STATUS = json.dumps({"node_id": "a", "peers": [{"id": "b"}], "runtime": {"stages": [STAGE]}}).encode()
READING = parse(STATUS, "eu")
SLOTS = (NodeSlots("eu", "a", "m", 4, 1),)
MODELS = (ModelTarget("eu", "r", None, None, None),)
OWN, OTHER = NodeStage("eu", "a", "m", "0..16"), NodeStage("eu", "b", "m", "16..32")


def test_what_a_console_answers_is_in_its_reading() -> None:
    console = CannedConsole(ANSWERS)
    reading = console.added_to(READING)
    assert console.asked == [LLAMA, TARGETS, STAGES]
    assert (reading.slots, reading.targets, set(reading.stages)) == (SLOTS, MODELS, {OWN, OTHER})
    assert (reading.sightings, reading.drift) == (READING.sightings, {})


def test_a_console_that_holds_no_stage_is_not_asked_for_stages() -> None:
    console = CannedConsole(ANSWERS)
    reading = console.added_to(parse(b'{"node_id": "a"}', "eu"))
    assert (console.asked, reading.stages) == ([LLAMA, TARGETS], ())


def refuses(result: str) -> Callable[[], bytes]:
    def fail() -> bytes:
        raise SourceError(result, "no")

    return fail


FAILURES = {"malformed": b"<html>", "refused": refuses("refused"), "timeout": refuses("timeout")}
FAILURES["too large"] = refuses("too_large")


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("path", ANSWERS)
def test_a_failure_costs_its_own_records_and_is_drift(path: str, failure: bytes | Callable[[], bytes]) -> None:
    reading = CannedConsole({**ANSWERS, path: failure}).added_to(READING)
    assert reading.slots == (() if path == LLAMA else SLOTS)
    assert reading.targets == (None if path == TARGETS else MODELS)
    assert set(reading.stages) == ({OWN} if path == STAGES else {OWN, OTHER})
    assert reading.drift == {FIELDS[path]: 1}


@pytest.mark.parametrize("path", ANSWERS)
def test_what_a_console_does_not_have_is_no_drift(path: str) -> None:
    reading = CannedConsole({other: said for other, said in ANSWERS.items() if other != path}).added_to(READING)
    assert reading.drift == {}
    assert (reading.slots == (), reading.targets is None, set(reading.stages) == {OWN}) == (
        path == LLAMA,
        path == TARGETS,
        path == STAGES,
    )


def reads(console: CannedConsole, times: int) -> list[MeshReading]:
    source = OptionalAnswers(console, "eu", 3)
    return [source.added_to(READING, Deadline(3, lambda: 0.0)) for _ in range(times)]


@pytest.mark.parametrize(("failure", "waits"), [(None, PAUSE), (FAILURES["timeout"], PAUSE), (b"<html>", 0)])
def test_who_does_not_have_it_or_hangs_is_left_alone_for_ten_reads(
    failure: bytes | Callable[[], bytes] | None, waits: int
) -> None:
    said = ANSWERS if failure is None else {**ANSWERS, LLAMA: failure}
    console = CannedConsole({path: each for path, each in said.items() if failure is not None or path != LLAMA})
    readings = reads(console, 12)
    assert console.asked.count(LLAMA) == (2 if waits else 12)
    assert console.asked.count(TARGETS) == 12
    assert sum(reading.drift.get("runtime_llama", 0) for reading in readings) == (
        0 if failure is None else 2 if waits else 12
    )


def test_an_answer_may_come_back() -> None:
    console = CannedConsole({})
    source = OptionalAnswers(console, "eu", 3)
    seen = []
    for turn in range(PAUSE + 2):
        if turn == 1:
            console.answers.update(ANSWERS)
        seen.append(source.added_to(READING, Deadline(3, lambda: 0.0)).slots)
    assert seen == [()] * (PAUSE + 1) + [SLOTS]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Slow(CannedConsole):
    """A console of which each answer takes `seconds`, or all the time there is."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__(ANSWERS)
        self.clock, self.seconds = clock, seconds
        self.given: list[float] = []

    def __call__(self, deadline: Deadline) -> Session:
        self.given.append(round(deadline.remaining(), 6))
        hangs = self.seconds >= deadline.remaining()
        self.clock.now += min(self.seconds, deadline.remaining())
        if hangs:
            raise SourceError("timeout", "no whole answer in time")
        return super().__call__(deadline)


@pytest.mark.parametrize(
    ("status_took", "seconds", "given"),
    [
        pytest.param(0.0, 0.5, [1.0, 1.0, 1.0], id="a third of the timeout each"),
        pytest.param(1.5, 0.9, [1.0, 0.6], id="and no more than is left"),
        pytest.param(1.0, 60.0, [1.0, 1.0], id="hanging ones never pass the deadline"),
        pytest.param(3.0, 0.5, [], id="nothing where a status took it all"),
    ],
)
def test_time(status_took: float, seconds: float, given: list[float]) -> None:
    clock = Clock()
    deadline = Deadline(3, clock)
    clock.now += status_took
    console = Slow(clock, seconds)
    reading = OptionalAnswers(console, "eu", 3).added_to(READING, deadline)
    assert console.given == given
    assert clock.now <= 103.0 + 1e-9
    assert reading.sightings == READING.sightings
    assert bool(reading.drift) == (bool(given) and (seconds > 1 or status_took == 1.5))


def test_over_http_a_console_without_them_is_read_all_the_same() -> None:
    missing = sends(answer(b'{"error":"Not found"}', status="404 Not Found"))
    status = sends(answer(b'{"node_id": "a"}'))
    with Loopback(status, missing, missing, status) as upstream:
        url = parse_url(f"http://127.0.0.1:{upstream.port}", 3131)
        source = MeshConsole("eu", url, Resolver(), interval=5, timeout=20, stale_after=15)
        readings = [source.read(Deadline(20)) for _ in range(2)]
        asked = [head.split(" ")[1] for head in upstream.heads]
    assert asked == ["/api/status", LLAMA, TARGETS, "/api/status"]
    assert [(each.slots, each.targets, each.drift) for each in readings] == [((), None, {})] * 2


def reading(observer: str, **said: object) -> MeshReading:
    return MeshReading(observer=observer, sightings=(), **said)  # type: ignore[arg-type]


def stage(node: str, layers: str) -> NodeStage:
    return NodeStage("eu", node, "m", layers)


def test_targets_are_those_of_one_console_never_summed() -> None:
    low = (ModelTarget("eu", "m", None, 1, 1),)
    high = (ModelTarget("eu", "m", None, 5, 0), ModelTarget("eu", "n", None, 5, 0))
    for readings in (
        [reading("b", targets=high), reading("a", targets=low)],
        [reading("a"), reading("b", targets=low)],
    ):
        assert capacity_tables(readings, {"a", "b"})[ModelTarget] == low
    assert capacity_tables([reading("a", targets=()), reading("b", targets=high)], {"a", "b"})[ModelTarget] == ()
    assert capacity_tables([reading("a")], {"a"})[ModelTarget] == ()


def test_stages_are_those_that_a_node_speaks_of_itself_else_those_of_the_lowest_observer() -> None:
    a = reading("a", stages=(stage("a", "0..1"), stage("b", "1..9"), stage("c", "2..3"), stage("gone", "3..4")))
    b = reading("b", stages=(stage("b", "1..2"), stage("c", "7..8")))
    expected = {stage("a", "0..1"), stage("b", "1..2"), stage("c", "2..3")}
    for readings in ([a, b], [b, a]):
        assert set(capacity_tables(readings, {"a", "b", "c"})[NodeStage]) == expected


def test_two_processes_with_one_identity_never_give_a_sample_twice() -> None:
    one = reading("a", slots=(NodeSlots("eu", "a", "m", 4, 1),), stages=(stage("a", "0..1"),))
    two = reading("a", slots=(NodeSlots("eu", "a", "m", 8, 2),), stages=(stage("a", "0..1"),))
    tables = capacity_tables([one, two], {"a"})
    assert (tables[NodeSlots], tables[NodeStage]) == (one.slots, one.stages)


def test_a_fleet_shows_a_hundred_models_those_that_lack_memory_and_the_wanted_first() -> None:
    targets = [ModelTarget("eu", f"m{n}", None, 0, 0) for n in range(MODEL_TARGETS + 20)]
    targets += [ModelTarget("eu", "wanted", None, 0, 1), ModelTarget("eu", "lacks", 5, 0, 0)]
    fleet = Fleet("eu", WorkerRules(), Limits())
    fleet.receive("node", reading("a", targets=tuple(targets)), fresh_until=1.0)
    tables, left_out = fleet.tables(0.0)
    shown = [each.model for each in tables[ModelTarget] if isinstance(each, ModelTarget)]
    assert shown[:3] == ["lacks", "wanted", "m0"]
    assert (len(shown), left_out[ModelTarget]) == (MODEL_TARGETS, 22)


def test_what_a_console_answered_goes_when_its_reading_is_stale() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    fleet.receive("node", CannedConsole(ANSWERS).added_to(READING), fresh_until=1.0)
    for now, present in ((0.5, True), (1.5, False)):
        tables, _ = fleet.tables(now)
        assert [bool(tables[kind]) for kind in (NodeSlots, NodeStage, ModelTarget)] == [present] * 3

"""Optional answers of a console never delay its status: when they are asked for, for how long, and what is left."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import msgspec
import pytest

from exporter.endpoint import parse_url
from exporter.records import ModelTarget, NodeSlots, NodeStage
from exporter.records.reading import MeshReading
from exporter.sources.fetch import Resolver, Session
from exporter.sources.mesh_llm import MeshConsole, parse
from exporter.sources.mesh_optional import PAUSE, OptionalAnswers, Start, in_background
from exporter.sources.source import Deadline, Pace, SourceError
from exporter.state.capacity_tables import capacity_tables
from exporter.state.fleet import MODEL_TARGETS, Fleet, Limits, WorkerRules
from tests.golden.canned_console import CannedConsole, asks_at_once
from tests.unit.loopback import Loopback, Peer, answer, sends

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


def without(path: str) -> CannedConsole:
    return CannedConsole({other: said for other, said in ANSWERS.items() if other != path})


def test_who_does_not_have_it_is_left_alone_for_ten_readings() -> None:
    console = without(LLAMA)
    asks = asks_at_once(console)
    drift = [asks.added_to(READING).drift for _ in range(PAUSE + 2)]
    assert (console.asked.count(LLAMA), console.asked.count(TARGETS)) == (2, PAUSE + 2)
    assert drift == [{}] * (PAUSE + 2)


def test_it_may_have_it_later() -> None:
    console = CannedConsole({})
    asks, seen = asks_at_once(console), []
    for turn in range(PAUSE + 2):
        if turn == 1:
            console.answers.update(ANSWERS)
        seen.append(asks.added_to(READING).slots)
    assert seen == [()] * (PAUSE + 1) + [SLOTS]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_what_was_answered_before_stands_until_it_is_stale(failure: bytes | Callable[[], bytes]) -> None:
    console, clock = CannedConsole(ANSWERS), Clock()
    asks = asks_at_once(console, clock=clock)
    asks.added_to(READING)
    console.answers = dict.fromkeys(ANSWERS, failure)
    for seconds, stands in ((5, True), (10, True), (0.1, False), (5, False)):
        clock.now += seconds
        reading = asks.added_to(READING)
        found = (reading.slots, reading.targets, set(reading.stages))
        assert found == ((SLOTS, MODELS, {OWN, OTHER}) if stands else ((), None, {OWN}))
        assert reading.drift == dict.fromkeys(FIELDS.values(), 1)
    console.answers = dict(ANSWERS)
    assert asks.added_to(READING).slots == SLOTS


def test_what_a_console_has_no_more_is_gone_at_once() -> None:
    console = CannedConsole(ANSWERS)
    asks = asks_at_once(console)
    assert asks.added_to(READING).slots == SLOTS
    console.answers = {}
    assert (asks.added_to(READING).slots, asks.added_to(READING).targets) == ((), None)


def test_what_one_node_answered_is_not_said_of_another() -> None:
    console = CannedConsole(ANSWERS)
    asks = asks_at_once(console)
    asks.added_to(READING)
    console.answers = dict.fromkeys(ANSWERS, FAILURES["timeout"])
    reading = asks.added_to(parse(b'{"node_id": "z", "runtime": {"stages": [%s]}}' % json.dumps(STAGE).encode(), "eu"))
    assert (reading.slots, reading.targets, reading.stages) == ((), None, (NodeStage("eu", "z", "m", "0..16"),))


def test_of_what_a_status_says_of_stages_nothing_older_counts() -> None:
    console = CannedConsole(ANSWERS)
    asks = asks_at_once(console)
    asks.added_to(READING)
    moved = {**STAGE, "layer_end": 8}
    body = {"node_id": "a", "peers": [{"id": "b"}], "runtime": {"stages": [moved]}}
    reading = asks.added_to(parse(json.dumps(body).encode(), "eu"))
    assert set(reading.stages) == {NodeStage("eu", "a", "m", "0..8"), OTHER}
    body["runtime"] = {"stages": []}
    assert asks.added_to(parse(json.dumps(body).encode(), "eu")).stages == ()


def test_what_only_a_plan_says_of_a_coordinators_own_stage_counts() -> None:
    """As mesh-llm 0.66 says it of the node that coordinates a split model: others in its stages, itself in the plan."""
    other = {**STAGE, "node_id": "b", "layer_start": 16, "layer_end": 32}
    plan = {"model_id": "m", "stages": [{**STAGE, "node_id": "a"}, other]}
    answers = {**ANSWERS, STAGES: json.dumps({"stages": [other], "topologies": [plan]}).encode()}
    body = {"node_id": "a", "peers": [{"id": "b"}], "runtime": {"stages": [other]}}
    reading = CannedConsole(answers).added_to(parse(json.dumps(body).encode(), "eu"))
    assert sorted(reading.stages, key=lambda stage: stage.node) == [OWN, OTHER]


class Later:
    """Takes work and does it when told."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def __call__(self, name: str, work: Callable[[], None]) -> None:
        self.work.append(work)


def test_a_reading_waits_for_nothing_and_one_thread_asks_at_a_time() -> None:
    console, later = CannedConsole(ANSWERS), Later()
    asks = OptionalAnswers(console, "eu", "a", timeout=3, stale_after=15, start=later)
    for _ in range(3):
        assert asks.added_to(READING).slots == ()
    assert (len(later.work), console.asked) == (1, [])
    later.work[0]()
    assert (asks.added_to(READING).slots, len(later.work), len(console.asked)) == (SLOTS, 2, 3)


def test_each_answer_has_the_whole_timeout() -> None:
    given, clock = [], Clock()

    def hangs(deadline: Deadline) -> Session:
        given.append(deadline.remaining())
        clock.now += deadline.remaining()
        raise SourceError("timeout", "no whole answer in time")

    work = Later()
    asks = OptionalAnswers(hangs, "eu", "a", timeout=3, stale_after=15, start=work, clock=clock)
    asks.added_to(READING)
    work.work[0]()
    assert (given, clock.now) == ([3, 3, 3], 109)


def test_without_a_thread_to_have_there_is_nothing_to_wait_for() -> None:
    def cannot(name: str, work: Callable[[], None]) -> None:
        tried.append(name)
        raise RuntimeError("can't start new thread")

    tried: list[str] = []
    asks = OptionalAnswers(CannedConsole(ANSWERS), "eu", "a:1", timeout=3, stale_after=15, start=cannot)
    assert [asks.added_to(READING).slots for _ in range(2)] == [(), ()]
    assert tried == ["answers of a:1"] * 2


def console(port: int, start: Start = in_background) -> MeshConsole:
    url = parse_url(f"http://127.0.0.1:{port}", 3131)
    return MeshConsole("eu", url, Resolver(), Pace(5, 60, 15), start=start)


def test_over_http_a_console_without_them_is_read_all_the_same() -> None:
    missing = sends(answer(b'{"error":"Not found"}', status="404 Not Found"))
    status = sends(answer(b'{"node_id": "a"}'))
    with Loopback(status, missing, missing, status) as upstream:
        source = console(upstream.port, lambda _, work: work())
        readings = [source.read(Deadline(20)) for _ in range(2)]
        asked = [head.split(" ")[1] for head in upstream.heads]
    assert asked == ["/api/status", LLAMA, TARGETS, "/api/status"]
    assert [(each.slots, each.targets, each.drift) for each in readings] == [((), None, {})] * 2


def test_over_http_a_console_that_hangs_beside_its_status_is_read_and_leaves_no_thread() -> None:
    def hangs(peer: Peer) -> None:
        peer.head()
        peer.stop.wait()

    before = set(threading.enumerate())
    with Loopback(sends(answer(b'{"node_id": "a"}')), hangs) as upstream:
        source = console(upstream.port)
        assert source.read(Deadline(20)).observer == "a"
        asking = [each for each in set(threading.enumerate()) - before if each.name.startswith("answers of")]
        assert len(asking) == 1
    asking[0].join(20)
    assert not asking[0].is_alive()


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
    fleet.receive("node", msgspec.structs.replace(READING, targets=tuple(targets)), fresh_until=1.0)
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

"""A story that alerts are told of, from the first worker that falls silent until all is well again.

Real LightningStores, exporters, Prometheus and Alertmanager, and the simulated fleet, which has more workers than real
processes could be here. Thresholds are shortened by a file of values, and everything is scraped and evaluated every
second; groups wait for 5 s.

Exporter `a` reads fleet `demo`: a mesh, and a store of 210 workers. `b` reads the stores of `training` and of `calm`,
and `c` an inventory of `third`. Of `calm` and `third` nobody ever falls silent.
"""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.alert_sink import Sink, Standing, standing
from tests.real.lightning import Lightning, Nursery, Runner
from tests.real.monitoring import Alertmanager, Prometheus, adapt, adapt_alertmanager
from tests.real.process import free_port, wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import WebServer, answers

WORKERS, SILENT = 210, 100
TIMEOUT, HOLD, KEEP = 5.0, 5.0, 28.0
"""Seconds after which a worker is silent, and `for` and `keep_firing_for` of RollcallWorkerUnknown."""

VALUES: dict[str, Any] = {
    "records": {"run_settled": "1s"},
    "alerts": {
        "RollcallDown": {"for": "3s", "keep_firing_for": "2s"},
        "RollcallSourceDown": {"for": "3s", "keep_firing_for": "30s"},
        "RollcallWorkerUnknownMajority": {"for": "2s", "keep_firing_for": "30s"},
        "RollcallNodeGone": {"for": "3s", "keep_firing_for": "25s"},
        "RollcallNodeFlapping": {"changes": 0, "for": "1s", "keep_firing_for": "1s"},
    },
}
"""Those that keep firing do so for longer than it takes until what mutes them fires, and each for as long as what they
mute, as with the shipped values."""

PATIENCE = {"interval": "500ms", "timeout": "2s", "stale_after": "3s", "heartbeat_timeout": f"{TIMEOUT:.0f}s"}
ALONE = {"host": {"enabled": False}, "gpu": {"enabled": False}, "registry": {"enabled": False}}


class Told(NamedTuple):
    """What came of it: the notifications, what Alertmanager held at each stage, and which alerts ever fired.

    `silent` are the workers of `demo` that fell silent. `at` is when they did, when the stores went on, and when all
    that was wrong was mended (monotonic seconds).
    """

    sink: Sink
    held: dict[str, list[Standing]]
    fired: set[tuple[str, str]]
    silent: list[str]
    at: dict[str, float]


class Place:
    """An exporter on a port that it keeps, to be killed and started again."""

    def __init__(self, folder: Path, configuration: dict[str, Any]) -> None:
        folder.mkdir()
        self._folder, self._configuration = folder, yaml.safe_dump(configuration | ALONE)
        self.address = "127.0.0.1:0"
        self.start()
        self.address = self._process.url.removeprefix("http://")

    def start(self) -> None:
        """Start it, with what it remembers."""
        self._process = Rollcall(self._folder, self._configuration, "--web.listen-address", self.address)

    def kill(self) -> None:
        """End it at once."""
        self._process.send(signal.SIGKILL)
        self._process.wait()

    def ready(self) -> bool:
        """Whether it has read its sources."""
        return answers(f"http://{self.address}/-/ready")

    def end(self) -> None:
        """End it for certain."""
        self._process.end()


class Stage:
    """All who take part; a context manager that ends them."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.sink = Sink()
        with contextlib.ExitStack() as exits:
            self._fleets(exits, nursery)
            self._exporters(exits, folder)
            self._watchers(exits, folder)
            self._exits = exits.pop_all()

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def _fleets(self, exits: contextlib.ExitStack, nursery: Nursery) -> None:
        free: dict[str, Any] = {"calm": True, "steady": True, "mesh_port": 0, "store_port": 0}
        self.mesh = exits.enter_context(Demo(DemoOptions(nodes=4, consoles=1, workers=0, speed=30, **free)))
        self.crowd = exits.enter_context(Demo(DemoOptions(nodes=1, workers=WORKERS, speed=10, **free)))
        self.stores = {fleet: Lightning(nursery, scan=1.0) for fleet in ("training", "calm")}
        for store in self.stores.values():
            exits.callback(store.send, signal.SIGKILL)
        lives = [("training", "lost-1"), ("training", "lost-2"), ("training", "left"), ("calm", "steady")]
        self.runners = {name: Runner(self.stores[fleet], name, beat=0.5, patience=3) for fleet, name in lives}
        for fleet, name in lives:
            self.stores[fleet].enqueue()
            exits.enter_context(self.runners[name])

    def _exporters(self, exits: contextlib.ExitStack, folder: Path) -> None:
        (folder / "third.yaml").write_text("- {logical_id: rack-7}\n")
        pace = {"interval": "200ms", "timeout": "2s", "stale_after": "2s"}
        stores = {"demo": self.crowd.store_url, **{fleet: store.url for fleet, store in self.stores.items()}}
        said = {fleet: {"fleet": fleet, "url": url, **PATIENCE} for fleet, url in stores.items()}
        read: dict[str, dict[str, Any]] = {
            "a": {"meshes": [{"fleet": "demo", "urls": [*self.mesh.mesh_urls], **pace}], "stores": [said["demo"]]},
            "b": {"stores": [said["training"], said["calm"]]},
            "c": {"inventories": [{"fleet": "third", "file": str(folder / "third.yaml")}]},
        }
        self.places: dict[str, Place] = {}
        for name, configuration in read.items():
            self.places[name] = Place(folder / name, configuration)
            exits.callback(self.places[name].end)

    def _watchers(self, exits: contextlib.ExitStack, folder: Path) -> None:
        wait_until(lambda: all(place.ready() for place in self.places.values()), "the exporters to have read")
        receiver = exits.enter_context(WebServer(self.sink.take))
        adapt_alertmanager(folder, receiver.url + "/", group_wait="5s")
        port, exporters = free_port(), [place.address for place in self.places.values()]
        adapt(folder, exporters, f"127.0.0.1:{port}", hold=HOLD, keep=KEEP, values=VALUES)
        self.alertmanager = exits.enter_context(Alertmanager(folder, port))
        self.prometheus = exits.enter_context(Prometheus(folder))

    def holds(self, what: str, *names: tuple[str, str], without: str = "") -> list[Standing]:
        """What Alertmanager holds as soon as that includes alerts of these names and fleets, and none `without`."""

        def look() -> list[Standing] | None:
            found = standing(self.alertmanager) or []
            there = {each.name for each in found}
            return found if there.issuperset(names) and without not in {name for name, _ in there} else None

        return wait_until(look, f"Alertmanager to hold {what}")

    def hears(self, *names: tuple[str, str], resolved: bool = False) -> None:
        """Wait until the receivers were told of alerts of these names and fleets."""

        def missing() -> list[tuple[str, str]]:
            told = {(each.name, each.fleet) for each in self.sink.told if (each.resolved if resolved else each.firing)}
            return [name for name in names if name not in told]

        wait_until(lambda: not missing(), f"notifications of {names}, resolved: {resolved}")

    def knows(self, expression: str) -> None:
        """Wait until Prometheus has an answer to a query."""
        wait_until(lambda: self.prometheus.query(expression), f"an answer to {expression}")


def told(folder: Path, nursery: Nursery) -> Told:
    """Let it happen."""
    held: dict[str, list[Standing]] = {}
    at: dict[str, float] = {}
    with Stage(folder, nursery) as stage:
        node, silent = begin(stage), stage.crowd.workers()[:SILENT]
        at["silent"] = time.monotonic()
        fall_silent(stage, silent)
        held["silent"] = all_that_fell_silent_is_told(stage)
        held["stopped"] = stop(stage)
        held["dead"] = die(stage)
        restart(stage)
        at["on"] = time.monotonic()
        held["back"] = go_on(stage)
        at["mended"] = time.monotonic()
        recover(stage, node, silent)
        history = 'count by (alertname, fleet) (count_over_time(ALERTS{alertstate="firing"}[1h]))'
        ever = [each["metric"] for each in stage.prometheus.query(history)]
    fired = {(each["alertname"], each.get("fleet", "")) for each in ever}
    return Told(stage.sink, held, fired, silent, at)


def begin(stage: Stage) -> str:
    """Wait until all is in order, but for a node that comes back and dies; gives its id."""
    stage.knows("count(count by (fleet, kind) (rollcall_source_up == 1)) == 5")
    node = next(node for node, hostname in stage.mesh.nodes().items() if hostname == "gpu-02")
    wait_until(lambda: restarted(stage, node), "a node to flap")
    stage.mesh.kill_node(node)
    in_order = [
        f'count(rollcall_worker_status{{fleet="demo",status=~"idle|busy"}} == 1) == {WORKERS}',
        'count(rollcall_worker_status{fleet="training",status="busy"} == 1) == 3',
        'count(rollcall_worker_status{fleet="calm",status="busy"} == 1) == 1',
        # A worker counts as one of the run if it was heard of a second after it began.
        "count(time() - fleet:rollcall_run_start_timestamp_seconds:max > 3) == 3",
    ]
    for expression in in_order:
        stage.knows(expression)
    return node


def restarted(stage: Stage, node: str) -> bool:
    """Restart a node, and tell whether that was seen within a while."""
    stage.mesh.kill_node(node)
    stage.mesh.restart_node(node)
    seen = 'ALERTS{alertname="RollcallNodeFlapping",alertstate="firing"}'
    end = time.monotonic() + 8
    return wait_until(lambda: stage.prometheus.query(seen) or time.monotonic() > end, "a node to flap") is not True


def fall_silent(stage: Stage, silent: list[str]) -> None:
    """Kill busy workers of the crowd, and two of the three of `training`."""
    for worker in silent:
        stage.crowd.kill_worker(worker, busy=True)
    for name in ("lost-1", "lost-2"):
        stage.runners[name].leave()


def all_that_fell_silent_is_told(stage: Stage) -> list[Standing]:
    """Wait for the notifications."""
    stage.hears(
        ("RollcallWorkerUnknown", "demo"),
        ("RollcallWorkerUnknownMajority", "training"),
        ("RollcallNodeGone", "demo"),
    )
    return stage.holds("the silent", ("RollcallWorkerUnknown", "training"), ("RollcallNodeFlapping", "demo"))


def stop(stage: Stage) -> list[Standing]:
    """Stop the stores that `b` reads, and kill the other exporters."""
    for store in stage.stores.values():
        store.send(signal.SIGSTOP)
    for name in "ac":
        stage.places[name].kill()
    stopped = [("RollcallSourceDown", "training"), ("RollcallSourceDown", "calm")]
    stopped += [("RollcallDown", "demo"), ("RollcallDown", "third")]
    held = stage.holds("what stopped", *stopped)
    stage.hears(*stopped)
    return held


def die(stage: Stage) -> list[Standing]:
    """Kill the last exporter."""
    stage.places["b"].kill()
    held = stage.holds("that nobody exports", ("RollcallDown", ""), ("RollcallDown", "training"))
    stage.hears(("RollcallDown", ""))
    return held


def restart(stage: Stage) -> None:
    """Start the exporters, and then continue the stores."""
    stage.places["b"].start()
    stage.knows('rollcall_source_up{fleet="calm"} == 0')
    for name in "ac":
        stage.places[name].start()
    down = [("RollcallSourceDown", "calm"), ("RollcallSourceDown", "training")]
    stage.holds("what is stopped, and no RollcallDown", *down, without="RollcallDown")
    stage.hears(*(("RollcallDown", fleet) for fleet in ("", "demo", "third")), resolved=True)
    for store in stage.stores.values():
        store.send(signal.SIGCONT)


def go_on(stage: Stage) -> list[Standing]:
    """Wait until what is wrong is known again."""
    stage.knows(f'count(ALERTS{{alertname="RollcallWorkerUnknown",fleet="demo",alertstate="firing"}}) == {SILENT}')
    wrong = [("RollcallWorkerUnknown", "demo"), ("RollcallWorkerUnknownMajority", "training")]
    return stage.holds("what is still wrong", *wrong, ("RollcallNodeGone", "demo"))


def recover(stage: Stage, node: str, silent: list[str]) -> None:
    """Let all come back who fell silent, and wait until that is told."""
    for worker in silent:
        stage.crowd.revive_worker(worker)
    stage.mesh.restart_node(node)
    with stage.runners["lost-1"] as one, stage.runners["lost-2"] as other:
        for runner in (one, other):
            runner.finish()
        names = [("RollcallWorkerUnknownMajority", "training"), ("RollcallNodeGone", "demo")]
        stage.hears(*names, ("RollcallSourceDown", "training"), ("RollcallSourceDown", "calm"), resolved=True)
        enough = f"{SILENT} workers to be resolved"
        wait_until(lambda: stage.sink.resolved("RollcallWorkerUnknown", "demo") == SILENT, enough)

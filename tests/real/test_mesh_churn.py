"""A mesh that changes all the time, seen by many scrapers, and how soon a change is seen."""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.demo import Demo
from tests.real.meshes import FLEET, configuration, consistent, counted, once, shown, simulated, start
from tests.real.rollcall import Rollcall, Samples, parse
from tests.real.scale import FULL
from tests.real.web import Answer, Asked, WebServer

SECONDS = 60.0 if FULL else 10.0
SCRAPERS = 8
PAUSE = 0.1


class Scrapers:
    """Threads that scrape until the block ends; `bodies` are the different answers, in the order of their arrival."""

    def __init__(self, rollcall: Rollcall) -> None:
        self._rollcall = rollcall
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(SCRAPERS)]
        self.bodies: dict[bytes, None] = {}
        self.failures: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Scrape during the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._ending.set()
            for thread in self._threads:
                thread.join()

    def _run(self) -> None:
        while not self._ending.wait(PAUSE):
            try:
                answer = self._rollcall.get()
            except OSError as error:
                with self._lock:
                    self.failures.append(str(error))
                return
            with self._lock:
                self.bodies[answer.body] = None
                if answer.status != 200:
                    self.failures.append(f"status {answer.status}")


def stir(demo: Demo, rng: random.Random, seconds: float) -> None:
    """Kill, restart, let go and wake nodes for a while."""
    end = time.monotonic() + seconds
    dead: list[str] = []
    pause = threading.Event()
    while time.monotonic() < end:
        alive = [node for node in demo.nodes() if node not in dead]
        match rng.randrange(4):
            case 0 if len(alive) > 5:
                dead.append(rng.choice(alive))
                demo.kill_node(dead[-1])
            case 1 if dead:
                demo.restart_node(dead.pop(0))
            case 2 if len(alive) > 9:
                demo.exit_node(rng.choice(alive), gossiped_to=rng.sample(demo.console_nodes, 2))
            case 3:
                demo.wake(rng.choice(["attic-gpu-31", "rack-b-gpu-21"]), succeeds=rng.random() < 0.5)
        pause.wait(0.3)


@pytest.mark.timeout(300)
def test_in_every_scrape_of_a_churn_the_states_add_up_to_the_nodes(tmp_path: Path) -> None:
    """Eight scrapers, for 10 s; with ROLLCALL_FULL=1 for 60 s."""
    with (
        simulated(nodes=12, consoles=4, speed=40.0, steady=False) as demo,
        start(tmp_path, demo, tombstone="2s") as rollcall,
    ):
        once(rollcall, lambda samples: sum(counted(samples).values()) >= 10, "the nodes")
        scrapers = Scrapers(rollcall)
        with scrapers.running():
            stir(demo, random.Random(4), SECONDS)
        rollcall.ended()
    assert not scrapers.failures
    seen = [Samples(parse(body.decode())) for body in scrapers.bodies]
    for samples in seen:
        consistent(samples)
    assert len({str(counted(samples)) for samples in seen}) > 5
    assert len({sum(counted(samples).values()) for samples in seen}) > 2


WORDS = ("standby", "serving")
FLIPS = 9
INTERVAL = 0.5
SLACK = 0.4


class Flipping:
    """A console of one node, whose state can be flipped; `told` are the words that it has answered with, in order."""

    def __init__(self) -> None:
        self.word = WORDS[0]
        self.told: list[str] = []

    def answer(self, asked: Asked) -> Answer:
        """The status of the moment; nothing else is known."""
        if asked.target != "/api/status":
            return Answer(404, b"")
        word = self.word
        self.told.append(word)
        return Answer(200, json.dumps({"node_id": "a", "node_state": word, "peers": []}).encode())

    def flip(self) -> float:
        """Flip the state; gives when, on the monotonic clock."""
        self.word = WORDS[self.word == WORDS[0]]
        return time.monotonic()


def good_reads(samples: Samples) -> float:
    """How many reads of the console succeeded."""
    return samples.value("rollcall_source_reads_total", fleet=FLEET, result="ok") or 0


def test_a_change_is_in_the_first_scrape_after_interval_and_read_time(tmp_path: Path) -> None:
    """Of any scrape: what the newest read that it counts was told. Of most flips: when they are seen, with some slack.

    Each flip comes right after the one before it was seen, so it waits for a whole interval.
    """
    console, delays = Flipping(), []
    with WebServer(console.answer) as server:
        timing = configuration([server.url], interval=f"{INTERVAL * 1000:.0f}ms", stale_after="20s")
        with Rollcall(tmp_path, timing) as rollcall:
            once(rollcall, lambda samples: shown(samples, "a"), "the node")
            for _ in range(FLIPS):
                flipped = console.flip()
                samples, asked = rollcall.scrape(), flipped
                while (found := shown(samples, "a")) is None or found.state != console.word:
                    assert found is not None
                    assert found.state == console.told[int(good_reads(samples)) - 1]
                    asked = time.monotonic()
                    samples = rollcall.scrape()
                assert found.state == console.told[int(good_reads(samples)) - 1]
                read = samples.value("rollcall_source_read_duration_seconds", fleet=FLEET) or 0.0
                delays.append(asked - flipped - read)
    assert statistics.median(delays) <= INTERVAL + SLACK, delays

"""A real Prometheus takes in a large exposition that is put together from kept segments, scrape after scrape.

Between two scrapes all records change, then few and fewer, so that segments of every kind are kept: those of whole
blocks, those of blocks that are cut, and those that are as old as the first scrape.
"""

from __future__ import annotations

import random
from pathlib import Path

import yaml

from exporter.exposition import Exposition, Format, gzip_member
from exporter.families import Family, OneOf, Value
from exporter.records import Record
from tests.real.monitoring import Prometheus
from tests.real.process import wait_until
from tests.real.web import Answer, Asked, WebServer

THINGS = 5000
CHANGES = (0, THINGS, 30, 30, 30, 2000)
"""How many things are others at each scrape."""


class Thing(Record, frozen=True, gc=False):
    """A record for this test."""

    KEY = ("thing",)
    thing: str
    size: int = 0
    state: str = "shut"


SIZE = Family("t_size", Thing, Value("size"), "Size.")
STATE = Family("t_state", Thing, OneOf("state", ("open", "shut")), "State.")


class Changing:
    """Answers every scrape with the next exposition, and 503 when there is no other."""

    def __init__(self) -> None:
        self.sums: list[tuple[int, int]] = []
        self._things = [Thing(f"thing-{number}") for number in range(THINGS)]
        self._exposition = Exposition([SIZE, STATE], 10**6)
        self._chance = random.Random(4)

    def __call__(self, _: Asked) -> Answer:
        if len(self.sums) == len(CHANGES):
            return Answer(503, b"")
        for at in self._chance.sample(range(THINGS), CHANGES[len(self.sums)]):
            state = self._chance.choice(("open", "shut"))
            self._things[at] = Thing(f"thing-{at}", self._chance.randrange(1000), state)
        snapshot = self._exposition.publish({"all": {Thing: tuple(self._things)}})
        self.sums.append((sum(each.size for each in self._things), sum(each.state == "open" for each in self._things)))
        body = b"".join(gzip_member(snapshot.chain(Format.TEXT), b"t_last 1\n"))
        return Answer(200, body, {"content-type": Format.TEXT.value, "content-encoding": "gzip"})


def test_every_scrape_is_taken_in_whole(tmp_path: Path) -> None:
    changing = Changing()
    with WebServer(changing) as server:
        job = {"job_name": "t", "static_configs": [{"targets": [server.url.removeprefix("http://")]}]}
        every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1m"}
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"global": every, "scrape_configs": [job]}))
        with Prometheus(tmp_path) as prometheus:
            wait_until(lambda: prometheus.query("up == 0"), "the scrapes to be over")
            (up,) = prometheus.query("up[1m]")
            (scraped,) = prometheus.query("scrape_samples_scraped[1m]")
            times = [at for at, value in up["values"] if value == "1"]
            found = []
            for at in times:
                sums = (f"sum({query})" for query in ("t_size", 't_state{state="open"}'))
                values = [prometheus.api("query", query=each, time=str(at))["result"][0]["value"][1] for each in sums]
                found.append((int(values[0]), int(values[1])))
    assert [value for _, value in scraped["values"]][: len(CHANGES)] == [str(3 * THINGS + 1)] * len(CHANGES)
    assert found == changing.sums

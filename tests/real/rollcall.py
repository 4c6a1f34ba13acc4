"""The exporter as a process, and what it exposes."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.real.process import Process, wait_until
from tests.real.web import Answer, ask

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"

Labels = frozenset[tuple[str, str]]


class Sample(NamedTuple):
    """One sample; labels without a value are left out, as Prometheus does."""

    name: str
    labels: Labels
    value: float


def parse(body: str, form: str = TEXT) -> list[Sample]:
    """Parse an exposition with the client library's own parsers."""
    parser = parse_openmetrics if form == OPENMETRICS else parse_text
    return [
        Sample(sample.name, frozenset(pair for pair in sample.labels.items() if pair[1]), sample.value)
        for family in parser(body)
        for sample in family.samples
    ]


class Samples:
    """The samples of one scrape."""

    def __init__(self, samples: list[Sample]) -> None:
        self.all = samples

    def find(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Labels and values of the samples of a name that have these labels."""
        for sample in self.all:
            if sample.name == name and labels.items() <= set(sample.labels):
                yield dict(sample.labels), sample.value

    def value(self, name: str, **labels: str) -> float | None:
        """The value of the only sample there may be; None where there is none."""
        found = [value for _, value in self.find(name, **labels)]
        assert len(found) < 2, f"expected one sample of {name} {labels}, got {len(found)}"
        return found[0] if found else None

    def words(self, name: str, label: str, **labels: str) -> list[str]:
        """The values of a label over the samples that are 1."""
        return [found[label] for found, value in self.find(name, **labels) if value == 1]

    def status(self, worker: str, **labels: str) -> tuple[str, str | None, str | None] | None:
        """A worker's status, the reason why it is unknown, and the word of its store where it differs."""
        status = self.words("rollcall_worker_status", "status", worker=worker, **labels)
        if not status:
            return None
        reason = self.words("rollcall_worker_unknown_reason", "reason", worker=worker, **labels)
        reported = self.words("rollcall_worker_status_overridden", "reported", worker=worker, **labels)
        assert len(status) == 1
        assert len(reason) < 2
        assert len(reported) < 2
        return status[0], reason[0] if reason else None, reported[0] if reported else None


class Rollcall(Process):
    """`rollcall serve` with a configuration, on a free port unless `arguments` say otherwise."""

    def __init__(
        self, folder: Path, configuration: str | None, *arguments: str, environ: Mapping[str, str] | None = None
    ) -> None:
        command = [sys.executable, "-m", "exporter.cli", "serve", "--state.dir", str(folder / "state")]
        if configuration is not None:
            file = folder / "rollcall.yaml"
            file.write_text(textwrap.dedent(configuration))
            command += ["--config.file", str(file)]
        if "--web.listen-address" not in arguments:
            command += ["--web.listen-address", "127.0.0.1:0"]
        super().__init__([*command, *arguments], folder / "rollcall.log", environ)
        self._url: str | None = None

    def __enter__(self) -> Rollcall:
        return self

    @property
    def url(self) -> str:
        """Its address, without a path; waits until it listens."""
        if self._url is None:
            self._url = wait_until(self._listening, "a line that says where the exporter listens")
        return self._url

    def get(self, path: str = "/metrics", accept: str = TEXT) -> Answer:
        """GET a path."""
        return ask(self.url + path, headers={"Accept": accept})

    def scrape(self) -> Samples:
        """What it exposes now."""
        answer = self.get()
        assert answer.status == 200
        return Samples(parse(answer.body.decode()))

    def fresh(self, fleet: str) -> Samples:
        """What it exposes once the store of a fleet was read by a read that began after this call."""
        seen = self._reads(self.scrape(), fleet)
        return wait_until(lambda: self._later(fleet, seen + 2), f"two more reads of the store of {fleet}")

    def until(self, fleet: str, up: bool) -> Samples:
        """What it exposes once the source of a fleet is up, or down."""

        def look() -> Samples | None:
            samples = self.scrape()
            return samples if samples.value("rollcall_source_up", fleet=fleet) == up else None

        return wait_until(look, f"rollcall_source_up of {fleet} to be {up:d}")

    def _later(self, fleet: str, reads: float) -> Samples | None:
        samples = self.scrape()
        return samples if self._reads(samples, fleet) >= reads else None

    @staticmethod
    def _reads(samples: Samples, fleet: str) -> float:
        kind = "agent-lightning"
        return samples.value("rollcall_source_reads_total", fleet=fleet, kind=kind, result="ok") or 0.0

    def _listening(self) -> str | None:
        self.ended()
        found = re.search(r"listening on (https?://127\.0\.0\.1:\d+)/metrics", self.output())
        return found[1] if found else None

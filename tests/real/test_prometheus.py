"""A real Prometheus takes in every sample of a scrape, over plain text and over OpenMetrics.

The exporter watches a simulated fleet and a hostile store, and measures this host. A proxy passes a few scrapes on and
keeps them; nothing is scraped after them, so that Prometheus' newest samples are those of the last kept body.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.hostile import NAMES, hostile_store
from tests.real.monitoring import Prometheus
from tests.real.process import wait_until
from tests.real.proxy import Proxy
from tests.real.rollcall import OPENMETRICS, TEXT, Rollcall, Sample, Samples, parse
from tests.real.web import WebServer

FORMS = {"text": TEXT, "openmetrics": OPENMETRICS}
SCRAPES = 4
OF_PROMETHEUS = ("up", "scrape_")


class Run(NamedTuple):
    """A Prometheus after its scrapes, and by job the proxies that kept them."""

    prometheus: Prometheus
    proxies: dict[str, Proxy]


@pytest.fixture(scope="module")
def rollcall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollcall]:
    options = DemoOptions(mesh_port=0, store_port=0, speed=10)
    with Demo(options) as demo, WebServer(hostile_store) as hostile:
        configuration = yaml.safe_load(demo.configuration(interval="500ms"))
        configuration["stores"].append({"fleet": "hostile", "url": hostile.url, "interval": "500ms"})
        configuration["gpu"] = {"enabled": False}
        with Rollcall(tmp_path_factory.mktemp("prometheus"), yaml.safe_dump(configuration)) as exporter:
            exporter.until("hostile", up=True)
            wait_until(lambda: exporter.get("/-/ready").status == 200, "every source to be read")
            yield exporter


@pytest.fixture(scope="module")
def run(rollcall: Rollcall, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        Proxy(rollcall.url, TEXT, SCRAPES) as text,
        Proxy(rollcall.url, OPENMETRICS, SCRAPES) as openmetrics,
    ):
        proxies = {"text": text, "openmetrics": openmetrics}
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [proxy.url.removeprefix("http://")]}]}
            for job, proxy in proxies.items()
        ]
        every = {"scrape_interval": "2s", "scrape_timeout": "2s"}
        (folder / "prometheus.yml").write_text(yaml.safe_dump({"global": every, "scrape_configs": jobs}))
        with Prometheus(folder) as prometheus:
            wait_until(lambda: prometheus.query("count(up == 0) == 2"), "the scrapes to be over")
            yield Run(prometheus, proxies)


def stored(prometheus: Prometheus, job: str) -> tuple[float, list[Sample]]:
    """The time of the newest good scrape in Prometheus, and the samples it has of that time."""
    (up,) = prometheus.query(f'up{{job="{job}"}}[5m]')
    good = [at for at, value in up["values"] if value == "1"]
    assert len(good) == SCRAPES, f"expected Prometheus to take in all {SCRAPES} scrapes, got up at {up['values']}"
    samples = []
    for series in prometheus.query(f'{{job="{job}"}}[5m]'):
        name = series["metric"].pop("__name__")
        labels = frozenset(pair for pair in series["metric"].items() if pair[0] not in ("job", "instance"))
        newest = [value for at, value in series["values"] if at == good[-1]]
        if newest and not name.startswith(OF_PROMETHEUS):
            samples.append(Sample(name, labels, float(newest[0])))
    return good[-1], samples


@pytest.mark.parametrize("job", FORMS)
def test_every_sample_comes_back(job: str, run: Run) -> None:
    last = run.proxies[job].passed[-1]
    passed = parse(last.text, FORMS[job])
    at, samples = stored(run.prometheus, job)
    assert at <= last.at
    assert len({(sample.name, sample.labels) for sample in passed}) == len(passed), "a duplicate"
    assert len(samples) == len(passed)
    assert set(samples) ^ set(passed) == set()
    names = {sample.name for sample in samples}
    assert {"rollcall_node_state", "rollcall_worker_status", "rollcall_host_cpu_seconds_total"} <= names
    assert {"process_cpu_seconds_total", "rollcall_build_info"} <= names
    print(f"{len(samples)} samples of {len(names)} names")


@pytest.mark.parametrize("job", FORMS)
def test_scrapes_have_the_form_that_was_asked_for(job: str, run: Run) -> None:
    for passed in run.proxies[job].passed:
        assert passed.content_type.startswith(FORMS[job].partition(";")[0])
        assert passed.compressed, "Prometheus asks for gzip"
        assert passed.text.endswith("# EOF\n") == (job == "openmetrics")


@pytest.mark.parametrize("job", FORMS)
def test_scrapes_change(job: str, run: Run) -> None:
    """Otherwise an old sample could pass for a new one."""
    assert len({passed.text for passed in run.proxies[job].passed}) == SCRAPES


def test_both_forms_name_the_same_series(run: Run) -> None:
    text, openmetrics = (
        {(sample.name, sample.labels) for sample in parse(run.proxies[job].passed[0].text, form)}
        for job, form in FORMS.items()
    )
    lasting = ("rollcall_worker_status", "rollcall_workers", "rollcall_host_cpu", "rollcall_source_up", "process_")
    assert {key for key in text ^ openmetrics if key[0].startswith(lasting)} == set()


def test_hostile_names_are_kept_apart(rollcall: Rollcall) -> None:
    samples = Samples(parse(rollcall.get().body.decode()))
    names = {labels["worker"] for labels, _ in samples.find("rollcall_worker_status", fleet="hostile", status="busy")}
    assert len(names) == len(NAMES)
    printable = {name for name in NAMES.values() if len(name) <= 128 and not _controls(name)}
    assert printable <= names
    assert all(len(name) <= 128 and not _controls(name) for name in names)
    assert samples.value("rollcall_workers", fleet="hostile", status="busy") == len(NAMES)


def _controls(name: str) -> bool:
    return any((letter < " " and letter != "\n") or "\x7f" <= letter <= "\x9f" for letter in name)

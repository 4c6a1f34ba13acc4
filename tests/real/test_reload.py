"""The exporter loads its configuration again: what stays is in every scrape, what is gone leaves no trace."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.hostile import many_workers
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall, Samples
from tests.real.web import Answer, WebServer, ask

KEY = "canary-key-4Tz6"
WORKERS = 40
DENIED = ["rollcall_ledger_available", "rollcall_exposition_bytes"]
LOADED = "rollcall_config_last_reload_successful"


class Fleets:
    """A store and a mesh that stay, and what else a configuration may have."""

    def __init__(self, folder: Path, mesh: Demo, store: str) -> None:
        self.file = folder / "rollcall.yaml"
        self._mesh = mesh
        self._store = store

    def text(self, *more: str, consoles: int = 2, **other: Any) -> str:
        """A configuration with fleet `stays`, further store fleets, and any other key."""
        pace = {"interval": "300ms", "timeout": "2s", "stale_after": "20s"}
        stores = [{"fleet": fleet, "url": f"{self._store}/{fleet}", **pace} for fleet in ("stays", *more)]
        meshes = [{"fleet": "stays", "urls": self._mesh.mesh_urls[:consoles], **pace}]
        off = {"host": {"enabled": False}, "gpu": {"enabled": False}}
        return yaml.safe_dump({"meshes": meshes, "stores": stores, **off, **other})

    def write(self, *more: str, consoles: int = 2, **other: Any) -> None:
        """Replace the file."""
        self.file.write_text(self.text(*more, consoles=consoles, **other))


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[Fleets]:
    demo = Demo(DemoOptions(nodes=4, workers=0, mesh_port=0, store_port=0, calm=True, steady=True))
    demo.start()
    try:
        with WebServer(many_workers(WORKERS)) as store:
            yield Fleets(tmp_path, demo, store.url)
    finally:
        demo.stop()


def reload(rollcall: Rollcall) -> Answer:
    return ask(rollcall.url + "/-/reload", method="POST")


def settled(rollcall: Rollcall, *names: str) -> None:
    """Wait until all workers of these fleets are shown, and the nodes of `stays`."""

    def look() -> bool:
        samples = rollcall.scrape()
        nodes = list(samples.find("rollcall_node_present", fleet="stays"))
        return len(nodes) == 4 and all(present(samples, name) == WORKERS for name in names)

    wait_until(look, f"workers of {names}")


def present(samples: Samples, fleet: str) -> int:
    return len(list(samples.find("rollcall_worker_present", fleet=fleet)))


def lasting(samples: Samples) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The series of the fleet that stays which a change of nothing must not change."""
    timeless = ("_present", "_since_timestamp_seconds", "_ordinal", "_transitions_total", "_confirmed")
    return {
        (name, tuple(sorted(labels))): value
        for name, labels, value in samples.all
        if ("fleet", "stays") in labels and name.endswith(timeless)
    }


@contextmanager
def scraping(rollcall: Rollcall) -> Iterator[list[Samples]]:
    """Scrape without a pause; what every scrape gave."""
    scrapes: list[Samples] = [rollcall.scrape()]
    over = threading.Event()

    def scrape() -> None:
        while not over.is_set():
            scrapes.append(rollcall.scrape())

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield scrapes
    finally:
        over.set()
        thread.join()


@pytest.mark.promise("Configuration", "Fleets come and go by a reload while no scrape misses a sample of another")
def test_fleets_come_and_go_while_another_is_never_missing(fleets: Fleets, tmp_path: Path) -> None:
    with Rollcall(tmp_path, fleets.text("goes")) as rollcall:
        settled(rollcall, "stays", "goes")
        before = lasting(rollcall.scrape())
        assert len(before) > 2 * WORKERS
        with scraping(rollcall) as scrapes:
            fleets.write("comes")
            answer = reload(rollcall)
            assert (answer.status, answer.body) == (200, b"The configuration is loaded again.\n")
            after = rollcall.scrape()
            assert present(after, "goes") == 0, "a tombstone"
            assert not [sample for sample in after.all if ("fleet", "goes") in sample.labels]
            settled(rollcall, "stays", "comes")
            fleets.write("comes", consoles=1, limits={"series": 1_000_000}, families={"deny": DENIED})
            assert reload(rollcall).status == 200
            settled(rollcall, "stays", "comes")
        assert len(scrapes) > 5
        differing = [set(lasting(each).items()) ^ set(before.items()) for each in scrapes]
        assert [each for each in differing if each] == []
        for name in DENIED:
            assert [len(list(each.find(name))) for each in (scrapes[0], rollcall.scrape())] == [1, 0]
    assert "Traceback" not in rollcall.output()


@pytest.mark.promise(
    "Configuration",
    "A bad file leaves the old configuration serving, by /-/reload and SIGHUP, and sets the metric to 0",
)
def test_a_bad_file_leaves_the_old_configuration_serving(fleets: Fleets, tmp_path: Path) -> None:
    with Rollcall(tmp_path, fleets.text()) as rollcall:
        settled(rollcall, "stays")
        samples = rollcall.scrape()
        loaded = samples.value("rollcall_config_last_reload_success_timestamp_seconds")
        assert (samples.value(LOADED), loaded is not None) == (1, True)
        before = lasting(samples)
        fleets.file.write_text(f"stores:\n- fleet: t\n  url: http://reader:{KEY}@trainer\n  interval: soon\n")
        answer = reload(rollcall)
        assert (answer.status, answer.body.decode()) == (
            500,
            "The old configuration stays, for the new one cannot be followed:\n"
            "stores[0].interval: expected a duration such as 500ms, 5s or 1m30s, got 'soon' "
            f"({fleets.file}:4)\n",
        )
        samples = rollcall.scrape()
        assert samples.value(LOADED) == 0
        assert samples.value("rollcall_config_last_reload_success_timestamp_seconds") == loaded
        rollcall.fresh("stays")
        assert lasting(rollcall.scrape()) == before
        fleets.write()
        rollcall.send(signal.SIGHUP)
        samples = wait_until(lambda: _loaded(rollcall), "the good file to be loaded")
        assert (samples.value("rollcall_config_last_reload_success_timestamp_seconds") or 0.0) > (loaded or 0.0)
        assert lasting(samples) == before
        fleets.file.write_text("stores: soon\n")
        rollcall.send(signal.SIGHUP)
        wait_until(lambda: rollcall.scrape().value(LOADED) == 0, "the bad file to be refused")
        rollcall.fresh("stays")
        assert lasting(rollcall.scrape()) == before
    assert KEY not in rollcall.output()
    assert "Traceback" not in rollcall.output()


def _loaded(rollcall: Rollcall) -> Samples | None:
    samples = rollcall.scrape()
    return samples if samples.value(LOADED) == 1 else None


def test_what_takes_a_restart_is_said_and_stays(fleets: Fleets, tmp_path: Path) -> None:
    with Rollcall(tmp_path, fleets.text()) as rollcall:
        settled(rollcall, "stays")
        fleets.write(registry={"fleet": "mine"}, host={"enabled": True}, state_dir=str(tmp_path / "elsewhere"))
        answer = reload(rollcall)
        notes = ["registry", "host"]
        text = "".join(f"{name}: changed, but that takes a restart\n" for name in notes)
        assert (answer.status, answer.body.decode()) == (200, "The configuration is loaded again.\n" + text)
        samples = rollcall.scrape()
        assert samples.value("rollcall_host_load1") is None
        assert list(samples.find("rollcall_workers", fleet="local"))
        assert all(f"{name}: changed, but that takes a restart" in rollcall.output() for name in notes)
        assert not (tmp_path / "elsewhere").exists()


def test_without_a_file_there_is_nothing_to_load(tmp_path: Path) -> None:
    with Rollcall(tmp_path, None) as rollcall:
        answer = reload(rollcall)
        assert (answer.status, b"without --config.file" in answer.body) == (409, True)
        rollcall.send(signal.SIGHUP)
        wait_until(lambda: rollcall.output().count("there is no configuration to load again") == 2, "two log lines")
        assert ask(rollcall.url + "/-/reload").status == 405
        assert rollcall.scrape().value(LOADED) == 1

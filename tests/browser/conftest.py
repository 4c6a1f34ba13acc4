"""One browser for all tests of pages, an exporter that watches a simulated fleet, and one that watches nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from exporter.demo import Demo, DemoOptions
from tests.browser.chromium import Chromium
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall

QUIET = {"host": {"enabled": False}, "gpu": {"enabled": False}}

FLEET = DemoOptions(nodes=6, workers=12, consoles=2, mesh_port=0, store_port=0, calm=True, steady=True, split=2)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser."""
    with Chromium(tmp_path_factory.mktemp("chromium") / "log") as browser:
        yield browser


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollcall]:
    """Watches a mesh and a store that are simulated, and is through with its first reads."""
    with Demo(FLEET) as demo:
        tree = yaml.safe_load(demo.configuration()) | QUIET
        with Rollcall(tmp_path_factory.mktemp("fleet"), yaml.safe_dump(tree)) as rollcall:

            def all_there() -> bool:
                of: dict[str, int] = rollcall.get("/api/v1/status").json()["of"]
                return of["nodes"] == FLEET.nodes and of["workers"] == FLEET.workers and of["wakeable"] > 0

            wait_until(all_there, "the nodes, workers and wakeable nodes of the fleet")
            yield rollcall


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollcall]:
    """Reads nothing but its own registry, which is empty."""
    with Rollcall(tmp_path_factory.mktemp("bare"), yaml.safe_dump(QUIET)) as rollcall:
        wait_until(lambda: rollcall.get("/-/ready").status == 200, "a turn of the poller")
        yield rollcall

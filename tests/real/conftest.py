"""What several tests with real processes share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.real import worlds
from tests.real.dashboards import Told
from tests.real.lightning import Lightning, Nursery


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Starts real LightningStores."""
    with Nursery(tmp_path_factory.mktemp("lightning")) as started:
        yield started


@pytest.fixture(scope="module")
def store(nursery: Nursery) -> Iterator[Lightning]:
    """A real LightningStore that looks for overdue attempts every second."""
    started = Lightning(nursery, scan=1.0)
    yield started
    started.kill()


class Worlds(NamedTuple):
    """What the dashboards were told of each fleet, once it was watched for long enough."""

    busy: Future[Told]
    empty: Future[Told]
    lightning: Future[Told]


@pytest.fixture(scope="session")
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Three fleets that are watched at the same time; nothing of them runs on once they have told."""
    with ThreadPoolExecutor(3) as pool:
        busy = pool.submit(worlds.busy, tmp_path_factory.mktemp("busy"))
        empty = pool.submit(worlds.empty, tmp_path_factory.mktemp("empty"))
        stores: Nursery = request.getfixturevalue("nursery")
        yield Worlds(busy, empty, pool.submit(worlds.lightning, tmp_path_factory.mktemp("lightning"), stores))


@pytest.fixture(scope="session")
def busy(watched: Worlds) -> Told:
    """Of a simulated fleet in which things happen."""
    return watched.busy.result()


@pytest.fixture(scope="session")
def empty(watched: Worlds) -> Told:
    """Of a store without a worker."""
    return watched.empty.result()


@pytest.fixture(scope="session")
def lightning(watched: Worlds) -> Told:
    """Of a real LightningStore."""
    return watched.lightning.result()

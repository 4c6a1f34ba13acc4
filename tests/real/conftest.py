"""What several tests with real processes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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

"""A state directory that is taken away while the exporter runs: it is noticed, and what is said to be kept is."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.registry.store import RegistryError
from exporter.state.database import FILE
from exporter.state.ledger import RETRY
from tests.promises.recording import Measured
from tests.unit import registry_files
from tests.unit.ledgers import mesh, opened, since, transitions
from tests.unit.registry_files import beat, names, take

BEAT = 1.0
TAKEN = "{path} was taken away: what is remembered is written to a new one"


def emptied(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def replaced(folder: Path) -> None:
    other = folder.with_name("other")
    opened(other).close()
    (other / FILE).replace(folder / FILE)


WAYS: dict[str, Callable[[Path], None]] = {
    "removed": shutil.rmtree,
    "emptied": emptied,
    "moved away": moved,
    "put in the place of another": replaced,
}


@pytest.mark.promise("State", "A ledger that is {way} while it is open is noticed at the next read, and written anew")
@pytest.mark.parametrize("way", WAYS)
def test_a_ledger_that_is_taken_away_is_made_anew(
    way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, measured: Measured
) -> None:
    folder = tmp_path / "state"
    ledger = opened(folder)
    ledger.observe({"eu": mesh({"a": "standby"})}, 0.0)
    ledger.observe({"eu": mesh({"a": "serving"})}, 5.0)
    WAYS[way](folder)
    shown = ledger.observe({"eu": mesh({"a": "serving"})}, 5.0 + BEAT)["eu"]
    assert (ledger.available, since(shown)) == (True, {"a": 5.0})
    assert caplog.messages == [TAKEN.format(path=folder / FILE)]
    ledger.close()
    ledger = opened(folder)
    shown = ledger.observe({"eu": mesh({"a": "serving"})}, 100.0)["eu"]
    assert (since(shown), transitions(shown)) == ({"a": 5.0}, {("standby", "serving"): 1})
    measured("transitions lost", 1 - sum(transitions(shown).values()), "")
    ledger.close()


@pytest.mark.promise("State", "A ledger that cannot be made anew is shown as not available, and tried again")
def test_a_ledger_that_cannot_be_made_anew_is_not_available(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, measured: Measured
) -> None:
    folder = tmp_path / "state"
    ledger = opened(folder)
    ledger.observe({"eu": mesh({"a": "serving"})}, 0.0)
    shutil.rmtree(folder)
    folder.write_text("")
    with caplog.at_level(logging.INFO):
        for second in range(1, 30):
            ledger.observe({"eu": mesh({"a": "serving"})}, float(second))
            assert not ledger.available
        folder.unlink()
        ledger.observe({"eu": mesh({"a": "serving"})}, 1.0 + RETRY)
    assert ledger.available
    assert [message.partition(":")[0] for message in caplog.messages] == [
        f"{folder / FILE} was taken away",
        "the ledger is kept in memory only",
        "the ledger is on disk again",
    ]
    measured("tried again after", RETRY, "s")
    ledger.close()
    ledger = opened(folder)
    assert since(ledger.observe({"eu": mesh({"a": "serving"})}, 500.0)["eu"]) == {"a": 0.0}
    ledger.close()


@pytest.mark.promise("State", "A registry that is {way} while it is open acknowledges nothing any more")
@pytest.mark.parametrize("way", ["removed", "emptied", "moved away"])
def test_a_registry_that_is_taken_away_acknowledges_nothing(way: str, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = registry_files.opened(folder)
    take(store, beat("w"))
    WAYS[way](folder)
    for request in (
        lambda: take(store, beat("w")),
        lambda: store.listen(0.0),
        lambda: store.drop_silent(9e9, 1.0, 0.0),
    ):
        with pytest.raises(RegistryError) as refused:
            request()
        assert str(refused.value) == (
            f"{folder / 'registry.db'}: expected the registry that was opened, got another file or none; restart"
        )
    store.close()
    store = registry_files.opened(folder)
    assert names(store) == []
    store.close()

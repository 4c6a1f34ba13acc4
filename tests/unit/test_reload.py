"""Loading the configuration again: what is answered, what is logged, what is kept, and who asks at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import msgspec
import pytest

from exporter.config import Address, Config, ConfigError, LimitsConfig, RegistryConfig, StoreConfig, load
from exporter.config.check import parse_address
from exporter.endpoint import Secret, parse_url
from exporter.records import ConfigLoad
from exporter.reload import NOTHING, Asked, Outcome, Reloader

STARTED = 1000.0
LATER = 2000.0
LOADED = "The configuration is loaded again.\n"


def store(fleet: str) -> StoreConfig:
    return StoreConfig(fleet=fleet, endpoint=parse_url("http://trainer", 4747))


class Life:
    """An exporter that follows whatever it is given, unless the test says otherwise."""

    def __init__(
        self, *loads: Config | Exception, config: Config | None = None, taken: tuple[str, ...] = (), **more: Asked
    ) -> None:
        self.followed: list[Config] = []
        self.able = True
        self.loads = list(loads)
        times = iter([STARTED, *[LATER] * 9])
        self.reloader = Reloader(
            config or Config(), self._load, self._follow, taken=taken, wall=lambda: next(times), **more
        )

    def _load(self) -> Config:
        loaded = self.loads.pop(0)
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    def _follow(self, config: Config) -> bool:
        self.followed.append(config)
        return self.able

    @property
    def shown(self) -> tuple[int, float]:
        [record] = self.reloader.tables()[ConfigLoad]
        assert isinstance(record, ConfigLoad)
        return record.successful, record.succeeded


def test_a_good_configuration_is_followed() -> None:
    new = Config(stores=(store("t"),), tombstone=5.0)
    life = Life(new)
    assert life.shown == (1, STARTED)
    assert life.reloader.reload() == (200, LOADED)
    assert (life.followed, life.shown) == ([new], (1, LATER))


def test_a_bad_one_is_said_line_by_line_and_the_last_good_one_stays(caplog: pytest.LogCaptureFixture) -> None:
    good = Config(state_dir="/a", tombstone=5.0)
    life = Life(ConfigError("a: wrong (r.yaml:1)", "b: wrong (r.yaml:2)"), good, config=Config(state_dir="/a"))
    expected = "The old configuration stays, for the new one cannot be followed:\na: wrong (r.yaml:1)\n"
    assert life.reloader.reload() == (500, expected + "b: wrong (r.yaml:2)\n")
    assert (life.followed, life.shown) == ([], (0, STARTED))
    said = [record.said["error"] for record in caplog.records if record.levelno == logging.ERROR]  # type: ignore[attr-defined]
    assert said == ["a: wrong (r.yaml:1)", "b: wrong (r.yaml:2)"]
    assert life.reloader.reload() == (200, LOADED)
    assert life.shown == (1, LATER)


@pytest.mark.promise(
    "Configuration", "What nobody foresaw in a reload leaves the old configuration, and quotes nothing"
)
def test_what_nobody_foresaw_leaves_the_old_one_and_says_nothing_of_it() -> None:
    life = Life(ZeroDivisionError("canary"), Config())
    assert life.reloader.reload().text.splitlines()[1:] == ["unforeseen ZeroDivisionError"]
    assert life.shown[0] == 0
    life.able = False
    assert life.reloader.reload().text.splitlines()[1:] == ["an unforeseen error, which is in the log"]
    assert life.shown[0] == 0


FIXED: dict[str, dict[str, object]] = {
    "web.listen_address": {"listen": parse_address("127.0.0.1:1")},
    "web.config_file": {"web_config_file": "web.yml"},
    "state_dir": {"state_dir": "/b"},
    "registry": {"registry": RegistryConfig(token=Secret("canary"))},
    "host": {"host": msgspec.structs.replace(Config().host, enabled=False)},
    "privacy": {"privacy": "hash"},
    "gpu": {"gpu": msgspec.structs.replace(Config().gpu, enabled=False)},
}


@pytest.mark.parametrize(("name", "changed"), FIXED.items(), ids=FIXED)
def test_what_takes_a_restart_is_said_and_stays(
    name: str, changed: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    old = Config(listen=Address("127.0.0.1", 10470), state_dir="/a")
    life = Life(msgspec.structs.replace(old, tombstone=5.0, **changed), config=old)
    note = f"{name}: changed, but that takes a restart"
    assert life.reloader.reload() == (200, f"{LOADED}{note}\n")
    assert note in caplog.messages
    assert life.followed == [msgspec.structs.replace(old, tombstone=5.0)]
    assert "canary" not in caplog.text


def test_a_registry_that_stands_on_another_line_has_not_changed() -> None:
    life = Life(Config(registry=RegistryConfig(place="r.yaml:9")), config=Config(registry=RegistryConfig(place="r:1")))
    assert life.reloader.reload() == (200, LOADED)


def test_the_registry_keeps_its_fleet_and_its_size() -> None:
    larger = Config(limits=LimitsConfig(objects=9))
    life = Life(Config(stores=(store("local"),)), larger, taken=("local",))
    assert life.reloader.reload().text.splitlines()[1:] == [
        "stores: expected a fleet of its own, got 'local', the registry's until a restart"
    ]
    assert (life.followed, life.shown[0]) == ([], 0)
    assert life.reloader.reload().text.splitlines()[1:] == [
        "limits.objects: changed, but for the registry that takes a restart"
    ]


def test_without_a_file_there_is_nothing_to_load(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reloader = Reloader(Config(), None, lambda config: True, wall=lambda: STARTED)
    assert reloader.reload() == (409, NOTHING)
    assert reloader.tables() == {ConfigLoad: (ConfigLoad(1, STARTED),)}
    assert caplog.messages == ["there is no configuration to load again"]


def test_a_file_s_name_that_is_no_utf_8_can_be_said(tmp_path: Path) -> None:
    missing = tmp_path / "r\udcff.yaml"
    reloader = Reloader(Config(), lambda: load(missing, {}), lambda config: True)
    assert b"r?.yaml: expected a readable file" in reloader.reload().text.encode()


class Slow:
    """Loads take as long as the test says."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[None] = SimpleQueue()
        self.go_on: SimpleQueue[None] = SimpleQueue()
        self.loads = 0

    def __call__(self) -> Config:
        self.loads += 1
        self.begun.put(None)
        self.go_on.get(timeout=60)
        return Config(tombstone=float(self.loads))


async def under_way(slow: Slow, reloader: Reloader) -> asyncio.Future[Outcome]:
    """Ask, and wait until that is being loaded."""
    asked = asyncio.ensure_future(reloader.ask())
    await asyncio.to_thread(slow.begun.get, timeout=60)
    return asked


def started(slow: Callable[[], Config], hangups: Asked | None = None) -> Reloader:
    reloader = Reloader(Config(), slow, lambda config: True, asked=hangups)
    reloader.start()
    return reloader


def test_who_asks_while_one_is_under_way_shares_the_next() -> None:
    slow, hangups = Slow(), SimpleQueue[None]()

    async def scenario() -> list[Outcome]:
        reloader = started(slow, hangups)  # type: ignore[arg-type]
        first = await under_way(slow, reloader)
        others = [asyncio.ensure_future(reloader.ask()) for _ in range(5)]
        await asyncio.sleep(0)
        hangups.put(None)
        assert not first.done()
        for _ in range(2):
            slow.go_on.put(None)
        return list(await asyncio.gather(first, *others))

    assert asyncio.run(scenario()) == [(200, LOADED)] * 6
    assert slow.loads == 2


def test_a_client_that_leaves_takes_nothing_with_it() -> None:
    slow = Slow()

    async def scenario() -> Outcome:
        reloader = started(slow)
        first = await under_way(slow, reloader)
        waits = asyncio.ensure_future(reloader.ask())
        await asyncio.sleep(0)
        first.cancel()
        waits.cancel()
        await asyncio.gather(first, waits, return_exceptions=True)
        for _ in range(3):
            slow.go_on.put(None)
        return await reloader.ask()

    assert asyncio.run(scenario()) == (200, LOADED)


def test_a_signal_has_it_loaded() -> None:
    slow, hangups = Slow(), SimpleQueue[None]()
    hangups.put(None)
    started(slow, hangups)  # type: ignore[arg-type]
    slow.begun.get(timeout=60)
    slow.go_on.put(None)

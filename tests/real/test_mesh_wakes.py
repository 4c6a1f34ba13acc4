"""Wakes as a mesh's consoles tell of them: one that succeeds, one that overruns its promise, one that vanishes.

Simulated time runs at twenty times the speed; that a wake has vanished is only said after ten minutes of real time:
with ROLLCALL_FULL=1 it is waited for, else tests/real/test_mesh_clock.py drives the clock for it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.meshes import consistent, counted, once, simulated, start
from tests.real.rollcall import Rollcall, Samples
from tests.real.scale import FULL

SETTLE = 600.0
SLEEPER, PROVIDER = "rack-b-gpu-21", "wake-on-lan"


def ends(samples: Samples) -> dict[str, float]:
    """How the wakes of the provider's nodes ended, where any did."""
    found = samples.find("rollcall_wakes_total", provider=PROVIDER)
    return {labels["result"]: count for labels, count in found if count}


def states(samples: Samples) -> list[str]:
    """The state of the sleeper; none when it is not listed."""
    return samples.words("rollcall_wakeable_state", "state", logical_id=SLEEPER)


def figure(samples: Samples, name: str) -> float | None:
    """A figure of the sleeper."""
    return samples.value(f"rollcall_wakeable_{name}", logical_id=SLEEPER)


def began(rollcall: Rollcall) -> tuple[Samples, float]:
    """The first scrape in which it wakes, and what was promised."""
    samples = once(rollcall, lambda samples: states(samples) == ["waking"], "a wake")
    promised = figure(samples, "wake_eta_seconds")
    assert promised is not None
    assert promised > 0
    return samples, promised


def live(samples: Samples) -> bool:
    """Whether the sleeper is a confirmed node."""
    nodes = [labels["node"] for labels, _ in samples.find("rollcall_node_info", hostname=SLEEPER)]
    return any(samples.value("rollcall_node_confirmed", node=node) == 1 for node in nodes)


def untouched(before: Samples, after: Samples) -> None:
    """Fail if anything of the live mesh differs: who there is, what they have and serve."""
    for name in ("rollcall_nodes", "rollcall_node_vram_bytes", "rollcall_node_model", "rollcall_node_state"):
        was, found = (
            {(*sorted(labels.items()), value) for labels, value in each.find(name)} for each in (before, after)
        )
        assert found == was, name


def test_a_wake_that_succeeds(tmp_path: Path) -> None:
    with simulated(nodes=3, consoles=2, speed=20.0) as demo, start(tmp_path, demo) as rollcall:
        asleep = once(rollcall, lambda samples: states(samples) == ["sleeping"], "the sleeper")
        assert ends(asleep) == {}
        vram = figure(asleep, "vram_bytes")
        demo.wake(SLEEPER)
        waking, promised = began(rollcall)
        took = [figure(waking, "wake_duration_seconds") or 0.0]
        while states(samples := rollcall.scrape()):
            assert states(samples) == ["waking"]
            assert figure(samples, "wake_eta_seconds") == promised
            assert figure(samples, "vram_bytes") == vram
            took.append(figure(samples, "wake_duration_seconds") or 0.0)
        assert took == sorted(took)
        done = once(rollcall, lambda samples: ends(samples), "the end of the wake")
        assert ends(done) == {"live": 1}
        assert live(done)
        assert sum(counted(done).values()) == sum(counted(asleep).values()) + 1
        consistent(done)
        (node,) = [labels["node"] for labels, _ in done.find("rollcall_node_info", hostname=SLEEPER)]
        assert done.value("rollcall_node_vram_bytes", node=node) == vram


def test_a_wake_that_overruns_its_promise_and_a_restart(tmp_path: Path) -> None:
    with simulated(nodes=3, consoles=2, speed=20.0) as demo:
        with start(tmp_path, demo) as first:
            asleep = once(first, lambda samples: states(samples) == ["sleeping"], "the sleeper")
            demo.wake(SLEEPER, overrun=200.0)
            waking, promised = began(first)
            since = figure(waking, "state_since_timestamp_seconds")
            late = once(first, lambda samples: (figure(samples, "wake_duration_seconds") or 0) > promised, "lateness")
            assert (states(late), figure(late, "wake_eta_seconds"), ends(late)) == (["waking"], promised, {})
            untouched(asleep, late)
        (tmp_path / "rollcall.log").unlink()
        with start(tmp_path, demo) as second:
            again = once(second, lambda samples: states(samples), "the sleeper again")
            assert (states(again), figure(again, "wake_eta_seconds")) == (["waking"], promised)
            assert figure(again, "state_since_timestamp_seconds") == since
            assert (figure(again, "wake_duration_seconds") or 0.0) > (figure(late, "wake_duration_seconds") or 0.0)
            done = once(second, lambda samples: ends(samples), "the end of the wake")
            assert (ends(done), live(done)) == ({"live": 1}, True)


@pytest.mark.timeout(900)
def test_a_wake_that_goes_back_to_sleep_and_one_that_is_struck_off(tmp_path: Path) -> None:
    with simulated(nodes=3, consoles=2, speed=20.0) as demo, start(tmp_path, demo) as rollcall:
        asleep = once(rollcall, lambda samples: states(samples) == ["sleeping"], "the sleeper")
        demo.wake(SLEEPER, succeeds=False)
        began(rollcall)
        returned = once(rollcall, lambda samples: ends(samples), "the end of the wake")
        assert (ends(returned), states(returned)) == ({"returned": 1}, ["sleeping"])
        demo.wake(SLEEPER)
        began(rollcall)
        demo.strike(SLEEPER)
        gone = once(
            rollcall, lambda samples: not list(samples.find("rollcall_wakeable_info", logical_id=SLEEPER)), "no"
        )
        assert not [sample.name for sample in gone.all if ("logical_id", SLEEPER) in sample.labels]
        assert ends(gone) == {"returned": 1}
        untouched(asleep, gone)
        if FULL:
            vanished = once(rollcall, lambda samples: len(ends(samples)) > 1, "a wake that vanished", SETTLE + 60)
            assert ends(vanished) == {"returned": 1, "vanished": 1}
            untouched(asleep, vanished)

"""No age is negative, whatever the times are that upstreams tell and whatever a clock does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.records import Attempt, WorkerReport
from exporter.state.worker import Outage, clock_skew, silence, since_evidence
from tests.promises.recording import Measured
from tests.unit.ledgers import mesh, opened, since

NOW = 1_795_330_870.25
YEAR = 365.25 * 86_400
INSTANT = st.one_of(
    st.floats(NOW - 200, NOW + 200),
    st.sampled_from([NOW, NOW - YEAR, NOW + YEAR, 0.0, -1.0, 1e308, -1e308, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SAID = st.none() | INSTANT
OUTAGE = st.none() | st.builds(
    lambda start, lasts, patience: Outage(start, start + lasts, patience),
    st.floats(NOW - 200, NOW + 200),
    st.floats(0, 200),
    st.sampled_from([0.0, 45.0]),
)
STATES = st.sampled_from(["standby", "serving", "loading"])
JUMP = st.one_of(st.floats(0, 10), st.sampled_from([3600.0, -3600.0, YEAR, -YEAR]), st.floats(-YEAR, YEAR))


@pytest.mark.promise(
    "State", "No silence of a worker is negative, whatever times its store tells and whenever it is read"
)
def test_no_silence_is_negative(measured: Measured) -> None:
    cases = 0

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(*[SAID] * 4, INSTANT, OUTAGE)
    def check(
        heard: float | None,
        asked: float | None,
        busy: float | None,
        attempted: float | None,
        now: float,
        outage: Outage | None,
    ) -> None:
        nonlocal cases
        report = WorkerReport(
            fleet="f", worker="w", word="busy", attempt="a", last_heartbeat=heard, last_dequeue=asked, last_busy=busy
        )
        held = Attempt("f", "r", "a", "running", "w", attempted)
        assert silence(report, held, now, outage) >= 0
        assert all(since_evidence(at, now, outage) >= 0 for at in (heard, asked, busy, attempted) if at is not None)
        assert clock_skew(report) is None
        cases += 1

    check()
    measured("cases", cases, "")


@pytest.mark.promise("State", "Whatever a clock does, the ledger holds no state since a time to come")
def test_no_state_is_since_a_time_to_come(measured: Measured) -> None:
    ages = 0

    @settings(derandomize=True, deadline=None, max_examples=25)
    @given(st.lists(st.tuples(STATES, STATES, JUMP), min_size=1, max_size=6))
    def check(turns: list[tuple[str, str, float]]) -> None:
        nonlocal ages
        now = NOW
        with tempfile.TemporaryDirectory() as folder:
            ledger = opened(Path(folder))
            for one, other, jump in turns:
                now += jump
                ledger.went_back(now)
                shown = ledger.observe({"eu": mesh({"a": one, "b": other})}, now)["eu"]
                found = [now - at for at in since(shown).values() if at is not None]
                assert min(found, default=0.0) >= 0
                ages += len(found)
            ledger.close()

    check()
    assert ages > 50
    measured("ages", ages, "")

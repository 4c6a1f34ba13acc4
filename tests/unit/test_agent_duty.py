"""What a registry must be told, by whatever it was told last: judged by the registry's own rules."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.agent.duty import Asked, Duty, Held, Reported, Step, steps
from exporter.records.registry import Registered
from exporter.state.events import AttemptReport, Dequeue, after

NOTHING = Asked(None)
R1 = Held("r1", "a1")
RUNS = Reported("r1", "a1", "running")
SUCCEEDED = Reported("r1", "a1", "succeeded")
BUSY = Duty().busy("r1", "a1", "")

AGAIN = BUSY.over("succeeded").busy("r1", "a1", "")
PLANS = {
    "a new worker is idle": (None, Duty(), [NOTHING]),
    "nothing new": (Duty(), Duty(), []),
    "it asks in vain again": (Duty(), Duty().asked(False), [NOTHING]),
    "it asks in vain often": (Duty(), Duty().asked(False).asked(False), [NOTHING]),
    "it takes work without a name": (Duty(), Duty().asked(True), [Asked(Held())]),
    "the work gets a name": (Duty().asked(True), Duty().asked(True).busy("r1", "a1", ""), [Asked(R1), RUNS]),
    "it begins": (Duty(), BUSY, [Asked(R1), RUNS]),
    "it begins before anybody knows it": (None, BUSY, [Asked(R1), RUNS]),
    "it says again that it is at it": (BUSY, BUSY.busy("r1", None, "a2"), []),
    "it succeeds": (BUSY, BUSY.over("succeeded"), [SUCCEEDED]),
    "it fails": (BUSY, BUSY.over("failed"), [Reported("r1", "a1", "failed")]),
    "it succeeds and asks in vain": (BUSY, BUSY.asked(False), [SUCCEEDED, NOTHING]),
    "it succeeds and goes on": (
        BUSY,
        BUSY.busy("r2", "a2", ""),
        [SUCCEEDED, Asked(Held("r2", "a2")), Reported("r2", "a2", "running")],
    ),
    "work without a name ends": (Duty().asked(True), Duty().asked(True).over("failed"), [NOTHING]),
    "the end of what nobody heard of": (Duty(), BUSY.over("succeeded"), [SUCCEEDED]),
    "the end of what a new registry never heard of": (None, BUSY.over("succeeded"), [SUCCEEDED]),
    "the same attempt anew": (BUSY, BUSY.over("succeeded").busy("r1", "a1", ""), [SUCCEEDED, Asked(R1), RUNS]),
    "the end of what ended before": (AGAIN, AGAIN.over("succeeded"), [SUCCEEDED]),
    "an end while idle": (Duty(), Duty().over("failed"), []),
}


@pytest.mark.parametrize(("told", "duty", "plan"), PLANS.values(), ids=PLANS)
def test_what_is_told(told: Duty | None, duty: Duty, plan: list[Step]) -> None:
    assert steps(told, duty) == plan


def test_an_attempt_without_a_name_gets_one() -> None:
    assert Duty().busy("r1", None, "fresh").held == ("r1", "fresh")
    assert BUSY.busy("r1", None, "fresh").held == R1
    assert BUSY.busy("r1", "a2", "fresh").held == ("r1", "a2")


CHANGES = st.one_of(
    st.builds(lambda claimed: lambda duty: duty.asked(claimed), st.booleans()),
    st.builds(
        lambda rollout, attempt: lambda duty: duty.busy(rollout, attempt, "fresh"),
        st.sampled_from(("r1", "r2")),
        st.sampled_from(("a1", "a2", None)),
    ),
    st.builds(lambda outcome: lambda duty: duty.over(outcome), st.sampled_from(("succeeded", "failed"))),
    st.sampled_from(("tell", "forget")),
)


@given(st.lists(CHANGES, max_size=30))
def test_a_registry_that_was_told_agrees(changes: Sequence[object]) -> None:
    """However many changes it misses, and whenever it forgets everything."""
    duty, told = Duty(), None
    registered: Registered | None = None
    for change in [*changes, "tell"]:
        if change == "forget":
            told, registered = None, None
        elif change == "tell":
            for step in steps(told, duty):
                registered = after(registered, event(step), 1.0)
            told = duty
            assert registered is not None
            assert registered.status == ("idle" if duty.held is None else "busy")
            assert (registered.rollout, registered.attempt) == (duty.held or (None, None))
        else:
            assert callable(change)
            duty = change(duty)


def event(step: Step) -> Dequeue | AttemptReport:
    if isinstance(step, Asked):
        return Dequeue("w", step.held is not None, *(step.held or ()))
    return AttemptReport("w", *step)

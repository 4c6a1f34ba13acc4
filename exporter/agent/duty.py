"""What a worker does, and what a registry that was last told something else must be told: pure functions."""

from __future__ import annotations

from typing import NamedTuple


class Held(NamedTuple):
    """The attempt at a rollout that a worker holds; both are None for work that was taken and not yet named."""

    rollout: str | None = None
    attempt: str | None = None


class Asked(NamedTuple):
    """To tell: the worker asked for work, and got `held` or, where that is None, nothing."""

    held: Held | None


class Reported(NamedTuple):
    """To tell: how an attempt goes; `status` is running, succeeded or failed."""

    rollout: str
    attempt: str
    status: str


Step = Asked | Reported


class Duty(NamedTuple):
    """What a worker does: `held` is None while it is idle.

    `empty` counts how often it asked for work in vain, `begun` how often it took some, `ends` how often an attempt
    ended. `ended` is the one that ended last, with its outcome.
    """

    empty: int = 1
    begun: int = 0
    held: Held | None = None
    ended: Reported | None = None
    ends: int = 0

    def asked(self, claimed: bool) -> Duty:
        """After asking for work; what was held has succeeded."""
        before = self.over("succeeded")
        if claimed:
            return before._replace(begun=before.begun + 1, held=Held())
        return before._replace(empty=before.empty + 1)

    def busy(self, rollout: str, attempt: str | None, fresh: str) -> Duty:
        """At work on a rollout, which names what was taken; other work that was held has succeeded.

        Without `attempt` it is the attempt at this rollout that is under way, or else a new one named `fresh`.
        """
        if self.held is not None and self.held.rollout is not None:
            if self.held.rollout == rollout and attempt in (None, self.held.attempt):
                return self
            return self.over("succeeded").busy(rollout, attempt, fresh)
        begun = self.begun + (self.held is None)
        return self._replace(begun=begun, held=Held(rollout, attempt or fresh))

    def over(self, outcome: str) -> Duty:
        """After the end of what was held, if anything was."""
        if self.held is None:
            return self
        idle = self._replace(held=None)
        rollout, attempt = self.held
        if rollout is None or attempt is None:
            return idle
        return idle._replace(ended=Reported(rollout, attempt, outcome), ends=idle.ends + 1)


def steps(told: Duty | None, duty: Duty) -> list[Step]:
    """What brings a registry from `told`, None where it knows nothing, to `duty`; events in between are left out.

    A report that an attempt runs would change nothing after its end, so taking it, which begins it anew, comes first.
    """
    before = told or Duty(empty=duty.empty)
    plan: list[Step] = []
    if duty.ended is not None and duty.ends != before.ends:
        plan.append(duty.ended)
    if duty.held is None:
        if duty.empty != before.empty or (not plan and (told is None or before.held is not None)):
            plan.append(Asked(None))
        return plan
    if (duty.begun, duty.held) != (before.begun, before.held):
        plan.append(Asked(duty.held))
        if duty.held.rollout is not None and duty.held.attempt is not None:
            plan.append(Reported(duty.held.rollout, duty.held.attempt, "running"))
    return plan

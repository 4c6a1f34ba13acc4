"""A fleet's life at random: joins, leaves, changes, silence, clock jumps, restarts and crashes; the ledger keeps up."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from exporter.records import NODE_STATES, NodeMemory
from exporter.records.table import Tables
from exporter.state.listing import Listing
from tests.unit.ledgers import HOUR, mesh, opened, present, since, transitions

NODES = ["a", "b", "c", "d", "e", "é\n\0"]
NAMES = st.sampled_from(NODES)
STATES = st.sampled_from(NODE_STATES)


class Life(RuleBasedStateMachine):
    """What a fleet does, and what follows for its memory, by the plainest rules."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.starts = 0
        self.now = 10_000.0
        self.states: dict[str, str] = {}
        self.listed: dict[str, str] = {}
        self.since: dict[str, float] = {}
        self.gone: dict[str, float] = {}
        self.steps: Counter[tuple[str, str]] = Counter()
        self.ordinals: dict[str, int | None] = {}
        self.ledger = opened(self.folder / "0")

    @rule(
        changes=st.dictionaries(NAMES, STATES | st.none(), max_size=3),
        seconds=st.sampled_from([0.0, 1.0, 600.0, HOUR - 1, HOUR, -0.5, -60.0, -9000.0]),
    )
    def is_read(self, changes: dict[str, str | None], seconds: float) -> None:
        self.now += seconds
        for name, state in changes.items():
            self.states.pop(name, None)
            if state is not None:
                self.states[name] = state
        self.expect()
        shown = self.ledger.observe({"eu": mesh(dict(self.states))}, self.now)["eu"]
        assert present(shown) == dict.fromkeys(self.states, 1) | dict.fromkeys(self.gone, 0)
        assert since(shown) == self.since | dict.fromkeys(self.gone)
        assert transitions(shown) == self.steps
        self.check_ordinals(shown)

    @rule()
    def restarts(self) -> None:
        self.ledger.close()
        self.ledger = opened(self.folder / str(self.starts))
        self.recalls()

    @rule()
    def crashes(self) -> None:
        before = self.folder / str(self.starts)
        self.starts += 1
        shutil.copytree(before, self.folder / str(self.starts))
        self.ledger.close()
        self.ledger = opened(self.folder / str(self.starts))
        self.recalls()

    def recalls(self) -> None:
        assert self.ledger.available
        assert self.ledger.recall("eu").states == self.listed

    @rule()
    def nobody_answers(self) -> None:
        shown = self.ledger.observe({"eu": Listing({"node"})}, self.now)["eu"]
        assert NodeMemory not in shown
        assert transitions(shown) == self.steps

    def expect(self) -> None:
        """Judge a read by the rules of the design."""
        for name, state in self.states.items():
            before = self.listed.get(name)
            if before != state:
                if before is not None:
                    self.steps[before, state] += 1
                self.since[name] = self.now
            self.since[name] = min(self.since[name], self.now)
            self.gone.pop(name, None)
        for name in self.listed.keys() - self.states.keys():
            del self.since[name]
            if self.listed[name] != "client":
                self.gone[name] = self.now
        self.gone = {name: min(at, self.now) for name, at in self.gone.items()}
        self.gone = {name: at for name, at in self.gone.items() if self.now - at < HOUR}
        self.listed = dict(self.states)

    def check_ordinals(self, shown: Tables) -> None:
        """Nobody's ordinal changes while it is remembered, and no two have the same."""
        ordinals = {row.node: row.ordinal for row in shown[NodeMemory] if isinstance(row, NodeMemory) and row.present}
        known = {name: at for name, at in self.ordinals.items() if name in self.listed or name in self.gone}
        assert known | ordinals == ordinals | known
        self.ordinals = known | ordinals
        assert len(set(self.ordinals.values())) == len(self.ordinals)
        assert all(at is not None and 0 <= at < len(NODES) for at in ordinals.values())

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)

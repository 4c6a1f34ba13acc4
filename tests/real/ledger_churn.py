"""A fleet that changes at every read, through the ledger; prints what it shows, once it may be shown.

`python -m tests.real.ledger_churn FOLDER SEED` prints a JSON line per read: the time, state and since of each node that
is there, who left, and the transitions so far.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from exporter.records import NODE_STATES
from exporter.state.ledger import Ledger
from exporter.state.memory import Retention
from tests.unit.ledgers import mesh, present, since, transitions


def main(folder: Path, seed: int) -> None:
    """Churn until somebody ends this process."""
    chance = random.Random(seed)
    ledger = Ledger.open(folder, retention=Retention(1e9, 1000))
    assert ledger.available
    states = ledger.recall("eu").states
    now = float(seed * 1_000_000)
    while True:
        now += 1.0
        nodes = [f"n{number}" for number in range(30) if chance.random() < 0.9]
        states = {
            node: chance.choice(NODE_STATES) if chance.random() < 0.3 else states.get(node, "standby") for node in nodes
        }
        shown = ledger.observe({"eu": mesh(states, {node: f"{node}:{now:.0f}" for node in nodes[:3]})}, now)["eu"]
        there = {node: [states[node], at] for node, at in since(shown).items() if at is not None}
        left = sorted(node for node, here in present(shown).items() if not here)
        steps = {"/".join(step): count for step, count in transitions(shown).items()}
        sys.stdout.write(json.dumps({"now": now, "there": there, "left": left, "steps": steps}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

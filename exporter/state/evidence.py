"""What the nodes of a fleet are judged from, kept so that a judgement can be explained: the same rules, run again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from exporter.records import NODE_STATES, NodeMemory, NodeView, Record
from exporter.records.evidence import Flags, NodeEvidence, NodeName, ObservedView
from exporter.records.reading import MeshReading
from exporter.records.transition import Transition
from exporter.state.consoles import Told
from exporter.state.history import History
from exporter.state.mesh_tables import Ground, Judged, judge, seen_by
from exporter.state.reconcile import tie
from exporter.state.views import LASTING, Seen
from exporter.state.words import REASONS, because_of_basis, because_of_standing
from exporter.state.worker_evidence import WorkersEvidence

DIGITS = 3
"""Decimal digits of the seconds that are shown."""


class FleetEvidence(NamedTuple):
    """Everything that the last judgement of a fleet's nodes came from; immutable, and safe for threads.

    `told` are the last answers by source, `fresh` those of them that counted. `ground.memory` is what was known before
    the judgement, without its readings. `remembered` is what the ledger shows of the nodes, `history` what became of
    them lately. `workers` is the same of the fleet's workers.
    """

    fleet: str
    told: Mapping[str, Told] = {}
    fresh: Mapping[str, MeshReading] = {}
    ground: Ground = Ground()
    remembered: tuple[Record, ...] = ()
    workers: WorkersEvidence = WorkersEvidence("")
    history: History | None = None

    def names(self) -> dict[NodeName, bool]:
        """What each node is called in any view of it, and whether that view is fresh; a tombstone has its id alone."""
        found: dict[tuple[str, str | None], bool] = {}
        for source, told in self.told.items():
            fresh = source in self.fresh
            for sighting in told.reading.sightings:
                key = sighting.view.node, sighting.view.hostname
                found[key] = fresh or found.get(key, False)
        for record in self.remembered:
            if isinstance(record, NodeMemory):
                found.setdefault((record.node, None), False)
        return {NodeName(self.fleet, *called): fresh for called, fresh in found.items()}

    def of(self, node: str, now: float, wall: float) -> NodeEvidence | None:
        """Explain a node; None for one that nobody knows. `now` is monotonic, `wall` the same instant in Unix time."""
        views = seen_by(self.fresh, node).get(node, [])
        stale = {source: told.reading for source, told in self.told.items() if source not in self.fresh}
        past = seen_by(stale, node).get(node, [])
        memory = [each for each in self.remembered if isinstance(each, NodeMemory) and each.node == node]
        if not (views or past or memory):
            return None
        judged = judge(views, self.ground) if views else None
        shown = [self._view(each, judged, now) for each in (*views, *past)]
        moves = self.history.of(self.fleet, node, "node") if self.history else ()
        said: dict[str, Any] = {"hostname": past[0].view.hostname if past else None}
        if judged is not None:
            said = self._judgement(judged, views)
        return NodeEvidence(
            fleet=self.fleet,
            node=node,
            at=round(wall, DIGITS),
            judged_seconds_ago=round(max(0.0, now - self.ground.now), DIGITS),
            present=bool(memory[0].present) if memory else None,
            since=memory[0].since if memory else None,
            console=self.ground.answering.get(node) or self.ground.memory.consoles.get(node),
            views=tuple(sorted(shown, key=_order)),
            transitions=tuple(Transition(*each) for each in moves),
            transitions_since=self.history.since(self.fleet, "node") if self.history else None,
            **said,
        )

    def _judgement(self, judged: Judged, views: list[Seen]) -> dict[str, Any]:
        node, counts, since = judged.node, judged.counts, judged.unmeasured_since
        evidence = [each.view for each in views]
        decided = tie([(each.view, each.state) for each in views], self.ground.memory.states.get(node.node))
        agreeing = {each.view.observer for each in views if each.state == node.state}
        measured = sum(view.rtt_seconds is not None for view in evidence)
        console = self.ground.memory.consoles.get(node.node) if judged.own_silent else None
        return {
            "hostname": node.hostname,
            "role": node.role,
            "version": node.version,
            "state": node.state,
            "reason": node.reason,
            "rule": REASONS[node.reason],
            "reported": node.reported,
            "basis": node.basis,
            "basis_because": because_of_basis(node.basis, decided, len(_observers(evidence)), len(agreeing)),
            "standing": node.standing,
            "standing_because": because_of_standing(node.standing, judged.chosen.view.own, measured, console),
            "console_silent": judged.own_silent,
            "unmeasured_seconds": None if since is None else round(self.ground.now - since, DIGITS),
            "views_by_state": {state: getattr(counts, state) for state in NODE_STATES},
            "disagree_expected": counts.expected,
            "disagree_real": counts.real,
        }

    def _view(self, seen: Seen, judged: Judged | None, now: float) -> ObservedView:
        view, verdict, fresh = seen.view, seen.verdict, seen.source in self.fresh
        told = self.told[seen.source]
        observer = next((each.view for each in told.reading.sightings if each.view.own), None)
        return ObservedView(
            observer=view.observer,
            observer_hostname=None if observer is None else observer.hostname,
            source=seen.source,
            own=view.own,
            chosen=fresh and judged is not None and seen.source == judged.chosen.source,
            fresh=fresh,
            age_seconds=None if told.at is None else round(max(0.0, now - told.at), DIGITS),
            hostname=view.hostname,
            role=view.role,
            version=view.version,
            word=view.word,
            flags=_flags(view),
            state=verdict.state,
            reason=verdict.reason,
            rule=REASONS[verdict.reason],
            drift=verdict.drift,
            latency=view.latency,
            rtt_seconds=view.rtt_seconds,
            dissent=_dissent(seen, judged) if fresh else None,
        )


def _dissent(seen: Seen, judged: Judged | None) -> str | None:
    """What the counts of a node's views took this one for; a difference without explanation is among the dissents."""
    if judged is None or seen.state == judged.node.state:
        return None
    reads = judged.dissents.get((seen.view.node, seen.source))
    if reads is None:
        return "expected"
    return "real" if reads >= LASTING else "brief"


def _flags(view: NodeView) -> Flags:
    """A payload has most of them for the node itself alone."""
    if not view.own:
        return Flags(None, None, None, None, None, view.serving, view.hosted)
    return Flags(
        view.is_client,
        view.is_host,
        view.llama_ready,
        view.has_model,
        view.has_activity,
        view.serving,
        view.hosted,
    )


def _observers(views: Iterable[NodeView]) -> set[str]:
    return {view.observer for view in views}


def _order(view: ObservedView) -> tuple[bool, bool, bool, str, str]:
    return not view.chosen, not view.own, not view.fresh, view.observer, view.source

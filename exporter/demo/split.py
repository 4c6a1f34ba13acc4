"""A model that is too large for one node, served by several of the mesh, each of which holds some of its layers.

Nothing of this was captured: no captured mesh had a split. From mesh-llm 0.66.0's source (`runtime/local.rs`,
`mesh/mod.rs`): the coordinator holds the first layers and is the only one that hosts the model; the others stand by,
with the model assigned and not ready; when a stage is lost, what is left makes a new split 2 s later, or withdraws the
model if it is too small. Assumed: layers are shared out by VRAM; while a dead node is still listed, its stage is said
to be as it was and the split goes on; those that are left wait for a node that makes up for it. Left out: that a
coordinator waits 2 s for a silent stage before it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from itertools import accumulate, pairwise
from typing import NamedTuple

from exporter.demo.hardware import Model
from exporter.demo.nodes import Node
from exporter.demo.plans import Plans

REVIEW = 2.0
"""Simulated seconds between two looks at who is left."""


class Stage(NamedTuple):
    """Layers from `start` up to `end` on a node, loaded in the epoch that it was in then."""

    node: Node
    epoch: int
    start: int
    end: int


class Split:
    """One model and the up to `size` nodes that serve it together; `listed` tells whom a node lists.

    `stages` are those of the present run, the coordinator's first, and empty while there is none; `run` is its number.
    """

    def __init__(self, model: Model, size: int, plans: Plans, listed: Callable[[Node], Collection[Node]]) -> None:
        self.model, self._size, self._plans, self._listed = model, size, plans, listed
        self._nodes: list[Node] = []
        self.stages: tuple[Stage, ...] = ()
        self.ready = False
        self.run = 0
        if size:
            plans.agenda.after(REVIEW, self._review)

    def offer(self, node: Node) -> None:
        """Let a node take part, if there is room for it."""
        if len(self._nodes) < self._size:
            self._nodes.append(node)

    def has(self, node: Node) -> bool:
        """Tell whether a node takes part."""
        return node in self._nodes

    def declare(self, node: Node) -> None:
        """Assign the model to a node that has just started."""
        node.model, node.serving, node.ready, node.hosted = self.model, [self.model.name], False, []

    def told_by(self, node: Node) -> tuple[Stage, ...]:
        """The stages whose status a node's console tells: the coordinator's all but its own, the others' their own."""
        mine = tuple(stage for stage in self.stages if stage.node is node and stage.epoch == node.epoch)
        return self.stages[1:] if mine and mine[0] is self.stages[0] else mine

    def planned_by(self, node: Node) -> tuple[Stage, ...]:
        """The stages in the plan that a node's console tells: on the coordinator's all of them, once they are ready."""
        return self.stages if self.ready and self.stages and self.stages[0].node is node else ()

    def place(self, stage: Stage) -> int:
        """The index of a stage in the run."""
        return self.stages.index(stage)

    def _review(self) -> None:
        self._plans.agenda.after(REVIEW, self._review)
        up = [node for node in self._nodes if node.up]
        if not up:
            return
        witness = self.stages[0].node if self.stages and self.stages[0].node.up else up[0]
        known = {witness.node_id, *(node.node_id for node in self._listed(witness))}
        if self.stages and not any(_is_lost(stage, known) for stage in self.stages):
            return
        self._withdraw()
        able = [node for node in up if node.node_id in known]
        if len(able) > 1 and sum(node.vram_bytes for node in able) >= self.model.required_bytes:
            self._form(able)

    def _withdraw(self) -> None:
        self.stages, self.ready = (), False
        for node in self._nodes:
            if node.up:
                node.ready, node.hosted = False, []

    def _form(self, nodes: list[Node]) -> None:
        nodes = sorted(nodes, key=lambda node: -node.vram_bytes)
        held, layers = sum(node.vram_bytes for node in nodes), self.model.layers or 0
        bounds = pairwise(round(layers * sum_ / held) for sum_ in accumulate((n.vram_bytes for n in nodes), initial=0))
        self.stages = tuple(Stage(node, node.epoch, *bound) for node, bound in zip(nodes, bounds, strict=True))
        self.run += 1
        self._plans.after(4.0, 9.0, partial(self._loaded, self.run))

    def _loaded(self, run: int) -> None:
        if run == self.run and self.stages and all(stage.node.epoch == stage.epoch for stage in self.stages):
            coordinator = self.stages[0].node
            self.ready = coordinator.ready = True
            coordinator.hosted = [self.model.name]


def _is_lost(stage: Stage, known: Collection[str]) -> bool:
    restarted = stage.node.up and stage.node.epoch != stage.epoch
    return restarted or stage.node.node_id not in known

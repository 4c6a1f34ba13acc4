"""What the nodes of the simulated mesh serve: one model, some of them two, and the requests that come."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.demo.hardware import SECOND_MODEL, SECOND_MODEL_FILE, fitting
from exporter.demo.nodes import Node
from exporter.demo.plans import Plans


class Hosting:
    """Loads and unloads models on `members` with GPUs; `steady` ones keep the first that they have loaded.

    `asked` tells when each model was last asked for by anybody, in simulated seconds. While `failing`, requests fail
    now and then.
    """

    def __init__(self, plans: Plans, members: Mapping[str, Node], *, steady: bool) -> None:
        self._plans, self._members, self._steady = plans, members, steady
        self.asked: dict[str, float] = {}
        self.failing = False

    def ask(self, model: str) -> None:
        """Note that somebody asks for a model now."""
        self.asked[model] = self._plans.agenda.now

    def unload(self, node: Node) -> None:
        """Leave a node without a model, until it loads the next one."""
        node.model, node.ready, node.hosted, node.serving = None, False, [], []
        if node.gpus:
            self._plans.later(node, 5.0, 40.0, self._load)

    def serve_requests(self) -> None:
        """Let a second's requests come and end, and go on so."""
        rng = self._plans.rng
        for node in self._members.values():
            if node.ready and node.up:
                done = min(node.inflight, rng.randrange(3))
                lost = sum(rng.random() < 0.02 for _ in range(done)) if self.failing else 0
                node.succeeded += done - lost
                node.failed += lost
                node.tokens += (done - lost) * rng.randrange(40, 900)
                node.inflight = min(12, node.inflight - done + rng.randrange(3))
                node.peak_inflight = max(node.peak_inflight, node.inflight)
            else:
                node.inflight = 0
        self._plans.agenda.after(1.0, self.serve_requests)

    def _load(self, node: Node) -> None:
        node.model = self._plans.rng.choice(fitting(node.gpus))
        node.serving = [node.model.name]
        self.ask(node.model.name)
        self._plans.later(node, 4.0, 9.0, self._serve)

    def _serve(self, node: Node) -> None:
        assert node.model is not None
        node.ready, node.hosted = True, [node.model.name]
        if not self._steady:
            self._plans.later(node, 180.0, 600.0, self.unload)
        if len(node.gpus) > 1 and not self._steady:
            self._plans.later(node, 20.0, 120.0, self._load_second)

    def _load_second(self, node: Node) -> None:
        if node.ready and SECOND_MODEL.name not in node.hosted:
            node.hosted = [*node.hosted, SECOND_MODEL.name]
            node.serving = [*node.serving[:1], SECOND_MODEL_FILE, SECOND_MODEL.name]
            self._plans.later(node, 60.0, 150.0, self._unload_second)

    def _unload_second(self, node: Node) -> None:
        if SECOND_MODEL.name in node.hosted:
            node.hosted = node.hosted[:1]
            node.serving = [name for name in node.serving if name != SECOND_MODEL.name]

"""How long a node took to load a model: from when it was first seen loading until it was seen serving what it hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from exporter.records import ModelLoad, Node, NodeModel


class Loads(NamedTuple):
    """Since when which node has been loading, on a monotonic clock, and how many seconds each model took it last."""

    since: Mapping[str, float] = {}
    seconds: Mapping[tuple[str, str], float] = {}


def watch(nodes: Iterable[Node], models: Iterable[NodeModel], before: Loads, now: float) -> Loads:
    """Follow the nodes of a fleet; of one that is listed no more nothing is kept.

    A node that hosts several models took as long for each. Who is first seen loading in the middle of it seems quicker.
    """
    states = {node.node: node.state for node in nodes}
    done = {node: now - began for node, began in before.since.items() if states.get(node) == "serving"}
    seconds = {key: each for key, each in before.seconds.items() if key[0] in states}
    if done:
        hosted = ((each.node, each.model) for each in models if each.relation == "hosted" and each.node in done)
        seconds |= {key: done[key[0]] for key in hosted}
    since = {node: before.since.get(node, now) for node, state in states.items() if state == "loading"}
    return Loads(since, seconds)


def load_table(nodes: Iterable[Node], loads: Loads) -> tuple[ModelLoad, ...]:
    """What is known of the loads of these nodes."""
    fleets = {node.node: node.fleet for node in nodes}
    return tuple(ModelLoad(fleets[node], node, model, each) for (node, model), each in loads.seconds.items())

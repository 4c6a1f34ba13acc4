"""Which wakeable nodes are awake: what their entries become, matched with the nodes of their fleet, and remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from exporter.records import Becomes, Node


class Live:
    """The nodes that a wake can have become, confirmed ones that are no clients, by id, with their host names.

    `there` are those that may be awake beside them: listed by somebody and no ghosts, or listed only by consoles that
    are silent now. It is None where nobody can tell, because no console answers.
    """

    def __init__(self, hostnames: Mapping[str, str | None], there: Collection[str] | None = ()) -> None:
        self.hostnames = hostnames
        self.there = there

    @classmethod
    def of(cls, nodes: Iterable[Node], unsure: Collection[str] = (), *, told: bool = True) -> Live:
        """Those of `nodes` that count; `unsure` are not listed, but may be there, `told` is whether anybody answers."""
        nodes = list(nodes)
        able = {node.node: node.hostname for node in nodes if node.confirmed and node.state != "client"}
        there = {node.node for node in nodes if not node.ghost}
        return cls(able, there | set(unsure) if told else None)

    def may_have(self, node: str) -> bool:
        """Tell whether a node may be awake."""
        return self.there is None or node in self.there or node in self.hostnames

    @cached_property
    def by_hostname(self) -> Mapping[str | None, Sequence[str]]:
        """The live nodes of each host name."""
        nodes: dict[str | None, list[str]] = {}
        for node, hostname in self.hostnames.items():
            nodes.setdefault(hostname, []).append(node)
        return nodes

    def named(self, name: str) -> set[str]:
        """The live nodes that have a name as their host name or id."""
        return {*self.by_hostname.get(name, ()), *({name} & self.hostnames.keys())}


class Awake(NamedTuple):
    """As which node an entry is awake, by what hint, and what state was said of the entry meanwhile."""

    node: str
    becomes: Becomes
    state: str | None


class Hint(NamedTuple):
    """What an entry becomes, and the state that is said of it."""

    becomes: Becomes
    state: str | None


class Matches(NamedTuple):
    """The live node of each entry that has one, by logical id, and the entries whose hint is not clear."""

    nodes: Mapping[str, str]
    unclear: tuple[str, ...]


def match(hints: Mapping[str, Becomes], live: Live, awake: Mapping[str, Awake]) -> Matches:
    """Find the live node that each entry becomes; a node answers for one entry at most.

    A hint is not clear where another entry has the same, where several live nodes have its name, or where its node
    answers for another entry already: for one that is awake as that node, else for one that says its id. An entry that
    is awake stays with its node, however unclear its hint has become.
    """
    asked = Counter(hints.values())
    found: dict[str, str] = {}
    taken: set[str] = set()
    unclear: set[str] = set()
    for logical_id in sorted(hints, key=lambda name: (name not in awake, hints[name].node is None, name)):
        hint, held = hints[logical_id], awake.get(logical_id)
        nodes = live.by_hostname.get(hint.hostname, ()) if hint.node is None else [hint.node]
        nodes = [node for node in nodes if node in live.hostnames]
        if asked[hint] > 1 or len(nodes) > 1:
            unclear.add(logical_id)
            nodes = []
        if held is not None and held.becomes == hint and held.node in live.hostnames:
            nodes = [held.node]
        if taken.issuperset(nodes):
            unclear |= {logical_id} if nodes else set()
        else:
            found[logical_id] = nodes[0]
            taken.add(nodes[0])
    return Matches(found, tuple(sorted(unclear)))


def followed(
    hints: Mapping[str, Hint], listed: Collection[str], matches: Matches, live: Live, before: Mapping[str, Awake]
) -> dict[str, Awake]:
    """Who is awake now: whose node is live, and who was awake and whose node may be there still.

    Unconfirmed is not asleep, and silence of a mesh or an inventory tells nothing. An entry that is said to wake, and
    was not while it was awake, is asleep, whoever lists its node still.
    """
    awake = {name: Awake(node, hints[name].becomes, hints[name].state) for name, node in matches.nodes.items()}
    taken = set(matches.nodes.values())
    for name, held in before.items():
        hint = hints.get(name)
        if name in awake or held.node in taken or not live.may_have(held.node):
            continue
        if name in listed and (hint is None or hint.becomes != held.becomes):
            continue
        if hint is None or hint.state != "waking" or held.state == "waking":
            awake[name] = held if hint is None else held._replace(state=hint.state)
    return awake

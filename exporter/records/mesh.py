"""Tables of mesh-llm: nodes, what they have, and their edges."""

from __future__ import annotations

from exporter.records.table import Record

NODE_STATES = ("client", "standby", "loading", "serving")
STANDINGS = ("confirmed", "unconfirmed", "ghost")
BASES = ("self", "quorum", "single")
LATENCIES = ("direct", "estimated", "unknown")
"""How a node knows its latency to a peer, as mesh-llm says it."""

RELATIONS = ("available", "requested", "serving", "hosted")
DISAGREEMENTS = ("expected", "real")
"""How a view may disagree with a node's state: as two rules for one thing do, or otherwise, for two reads."""


class NodeView(Record, frozen=True, gc=False, kw_only=True):
    """A mesh-llm node as one observer reports it: evidence, not yet a state.

    `own` tells a node's report of itself from its report of a peer. `word` is the state the payload names, None in
    payloads of before `node_state`. `serving` and `hosted` say whether the lists of that name hold a model.
    In a node's own report, `process` tells processes of one identity apart, and `stage_ready` that it holds a ready
    stage of a split model.
    """

    KEY = ("fleet", "observer", "node")
    fleet: str
    observer: str
    node: str
    own: bool
    hostname: str | None = None
    role: str | None = None
    version: str | None = None
    word: str | None = None
    is_client: bool = False
    is_host: bool = False
    llama_ready: bool | None = None
    has_model: bool = False
    has_activity: bool = False
    serving: bool = False
    hosted: bool = False
    latency: str | None = None
    rtt_seconds: float | None = None
    vram_bytes: float | None = None
    inflight_requests: int | None = None
    requests_success: int | None = None
    requests_failure: int | None = None
    process: str | None = None
    stage_ready: bool = False


class Node(Record, frozen=True, gc=False, kw_only=True):
    """A mesh-llm node: the one state that follows from all fresh views of it.

    `basis` says whose view it is: `self`, `quorum` or `single`. `reason` names the rule that gave the state. `reported`
    is the payload's word where the state differs from it. `standing` is `confirmed`, `unconfirmed` or `ghost`;
    `confirmed` and `ghost` are 1 or 0.
    """

    KEY = ("fleet", "node")
    fleet: str
    node: str
    hostname: str | None
    role: str | None
    version: str | None
    basis: str
    state: str
    reason: str
    reported: str | None
    standing: str
    confirmed: int
    ghost: int
    vram_bytes: float | None
    inflight_requests: int | None
    requests_success: int | None
    requests_failure: int | None

    @property
    def rank(self) -> int:
        """Unconfirmed ones and ghosts first, then those that load."""
        return 0 if self.standing != "confirmed" else 1 if self.state == "loading" else 2


class NodeViews(Record, frozen=True, gc=False, kw_only=True):
    """How many fresh views show a node in each state, and how many of them differ from the state that it is in.

    `expected` are differences between a node's own rule and its peers' rule, `real` any others that lasted two reads.
    """

    KEY = ("fleet", "node")
    fleet: str
    node: str
    client: int = 0
    standby: int = 0
    loading: int = 0
    serving: int = 0
    expected: int = 0
    real: int = 0

    @property
    def rank(self) -> int:
        """Those that views really disagree about first."""
        return 0 if self.real else 1


class NodeModel(Record, frozen=True, gc=False):
    """A model that a node has to do with; `relation` is one of `RELATIONS`."""

    KEY = ("fleet", "node", "model", "relation")
    fleet: str
    node: str
    model: str
    relation: str


class NodeGpu(Record, frozen=True, gc=False):
    """A GPU of a node, by its position in the node's list."""

    KEY = ("fleet", "node", "gpu")
    fleet: str
    node: str
    gpu: str
    name: str | None
    memory_bytes: float | None
    memory_reserved_bytes: float | None
    memory_bandwidth_bytes_per_second: float | None


class PeerLink(Record, frozen=True, gc=False):
    """An edge of the mesh: `node` lists `peer`; `latency` is one of `LATENCIES`."""

    KEY = ("fleet", "node", "peer")
    fleet: str
    node: str
    peer: str
    latency: str
    rtt_seconds: float | None


class NodeCount(Record, frozen=True, gc=False):
    """How many nodes of a fleet are in a state, by standing."""

    KEY = ("fleet", "state", "standing")
    fleet: str
    state: str
    standing: str
    count: int

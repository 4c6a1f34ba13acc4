"""The dashboard `Node`: one node, its state and the reason, who sees it how, what it serves, and its host."""

from __future__ import annotations

from grafana import links, states, variables
from grafana.annotations import THIS_NODE
from grafana.node_host import host, host_gpus
from grafana.panels import (
    Board,
    Column,
    Gather,
    Line,
    Panel,
    Row,
    Series,
    Size,
    stat,
    state_timeline,
    table,
    time_series,
)
from grafana.queries import node as queries
from grafana.states import BLUE, GREEN, GREY, LATENCY, NODE, NODE_CONDITION, RED, RELATION

NO_NODE = "no node is chosen, or none is known"
NOT_READ = "its console is not read"
NO_MODEL = "no model is assigned to it"
NO_GPU = "it tells of no GPU"

RELATIONS = Gather("A", "relation", ("model",))
LAYERS = Gather("G", "layers", ("model",))
BAD = ((None, GREY), (1, RED))


def node() -> Board:
    """The dashboard of one node."""
    return Board(
        links.NODE,
        "Rollcall: Node",
        "One node: its state and the reason, since when, who sees it how, what it serves, and its host.",
        (
            _now(),
            (_identity(),),
            (_history(), _views()),
            (_observers(), _listed()),
            Row("What it serves"),
            (_models(), _gpus()),
            _load(),
            Row("Its host: $host"),
            host(),
            host_gpus(),
        ),
        (variables.FLEET, variables.NODE, variables.NODE_HOST),
        THIS_NODE,
    )


def _now() -> Line:
    reason = "What makes the state, and whose word that is: the node's own console before all others, then most views."
    since = "When the node came into this state, over restarts of Rollcall too; when it was last listed if it has gone."
    memory = [Series("offered", queries.VRAM, GREEN), Series("on GPUs", queries.GPU_MEMORY, BLUE)]
    memory_help = (
        "The VRAM budget that the node offers to the mesh, and the memory of the GPUs that it tells of. The budget is "
        "lower where a limit holds some back, and 75 % of RAM on a host without GPU; a client offers 0."
    )
    load = [
        Series("requests", queries.INFLIGHT, BLUE),
        Series("slots busy", queries.SLOTS_BUSY, GREEN),
        Series("slots", queries.SLOTS, GREY),
    ]
    load_help = "Requests in flight (tunnelled ones count twice upstream), and slots that process one, of all it has."
    return (
        stat(
            "State",
            "The node's state, or that nobody vouches for the node.",
            [Series("state", queries.STATE)],
            Size(4, 4),
            badges=states.by_number(NODE_CONDITION),
            empty=NO_NODE,
        ),
        stat(
            "In this state",
            since,
            [Series("since", queries.SINCE)],
            Size(4, 4),
            unit="dateTimeFromNow",
            decimals=None,
            empty=NO_NODE,
        ),
        stat("Why", reason, [Series("{{why}}", queries.WHY)], Size(6, 4), words=True, empty=NO_NODE),
        stat("VRAM", memory_help, memory, Size(5, 4), unit="decbytes", decimals=None, empty="not said"),
        stat("Load", load_help, load, Size(5, 4), empty=NOT_READ),
    )


def _identity() -> Panel:
    columns = [
        Column("hostname", "Host name", filterable=False),
        Column(
            "fleet", "Fleet", links=(links.fleet_of_row("the topology", links.TOPOLOGY, "Fleet"),), filterable=False
        ),
        Column("role", "Role", filterable=False, width=90),
        Column("version", "Version", filterable=False, width=90),
        Column("basis", "Basis", filterable=False, width=90),
        Column("Value #B", "Confirmed", badges=states.YES_IS_GOOD, filterable=False, width=100),
        Column("Value #C", "Ghost", badges=states.YES_IS_BAD, filterable=False, width=80),
        Column("reported", "Reported", badges=states.by_word(NODE), filterable=False, width=100, empty="the same"),
        Column("Value #E", "Disagree, real", limits=BAD, filterable=False),
        Column("Value #F", "Disagree, expected", filterable=False),
        Column("Value #G", "Offered less GPUs", unit="decbytes", filterable=False),
        Column("Value #H", "GPUs less NVML", unit="decbytes", filterable=False),
        Column("node", "Id", filterable=False),
    ]
    return table(
        "Who it is",
        "Basis: whose view gives the state, its own (self), most peers' (quorum) or one's (single). Confirmed: "
        "somebody vouches for it. Disputed views cannot both be right. Offered less GPUs: the VRAM budget less the "
        "memory of its GPUs; GPUs less NVML: that memory less what NVML says on its host. What was last said, of a "
        "node that has gone.",
        [
            queries.INFO,
            queries.CONFIRMED,
            queries.GHOSTLY,
            queries.REPORTED,
            queries.DISPUTED,
            queries.EXPECTED,
            queries.VRAM_DRIFT,
            queries.NVML_DRIFT,
        ],
        columns,
        Size(24, 4),
        sort=[("node", False)],
        empty=NO_NODE,
        pages=False,
    )


def _history() -> Panel:
    return state_timeline(
        "State over time",
        "The state of the node; unconfirmed, ghost and gone stand in for it where nobody vouches for the node.",
        queries.HISTORY,
        "{{name}}",
        NODE_CONDITION,
        Size(14, 6),
        empty=NO_NODE,
        per_page=0,
        text=True,
    )


def _views() -> Panel:
    views = [Series(state, queries.views(state), look.colour) for state, look in NODE.items()]
    description = (
        "How many consoles, its own among them, see the node in each state. More than one colour at a time is a "
        "disagreement."
    )
    return time_series("Consoles that see it", description, views, Size(10, 6), stacked=True, empty=NO_NODE)


def _observers() -> Panel:
    columns = [
        Column("name", "Observer", links=(links.node_of_row("this observer", node="Id", fleet="Fleet"),)),
        Column("latency", "Latency", badges=states.by_word(LATENCY), width=120),
        Column("Value #B", "Round trip", unit="s", decimals=1, width=110),
        Column("Value #C", "And back", unit="s", decimals=1, width=110),
        Column("Value #D", "Observer is", badges=states.by_number(NODE_CONDITION), width=120),
        Column("fleet", "Fleet", hidden=True),
        Column("node", "Id", width=130),
    ]
    return table(
        "Who sees it",
        "Every console of its mesh that is read, and how it knows the node: it measures a round trip (direct), "
        "estimates one, has it from hearsay (unknown), or does not list it. And back: the round trip that the node "
        "measures.",
        [queries.OBSERVER, queries.OBSERVER_RTT, queries.RTT_BACK, queries.OBSERVER_STATE],
        columns,
        Size(12, 8),
        sort=[("latency", False), ("name", False)],
        empty="no other console of its mesh is read",
    )


def _listed() -> Panel:
    return state_timeline(
        "How consoles know it, over time",
        "One band per console that is read. All of them at unknown is a ghost: the node has left, and gossip goes on.",
        queries.LISTED_AS,
        "{{name}}",
        LATENCY,
        Size(12, 8),
        empty="no other console of its mesh is read",
        per_page=8,
        links=[links.node_of_series("this observer")],
    )


def _models() -> Panel:
    columns = [
        Column("model", "Model", width=260),
        Column(RELATIONS.field, "Relation", pills=True, filterable=False),
        Column("Value #B", "Share of VRAM", unit="percentunit", gauge=True, top=1, width=120, decimals=0),
        Column("Value #C", "VRAM of all its nodes", unit="decbytes", width=100),
        Column("Value #E", "Slots busy", width=70),
        Column("Value #D", "Slots", width=70),
        Column(LAYERS.field, "Layers", pills=True, filterable=False, width=95),
        Column("Value #F", "Missed", badges=states.YES_IS_BAD, width=90),
    ]
    return table(
        "Models",
        "What the node hosts, serves, was told to serve, or has on its disk. Share: the part of this node in the VRAM "
        "of all nodes that host the model or layers of it. Missed: it was told to, and no confirmed node "
        "hosts it.",
        [
            queries.MODEL,
            queries.MODEL_SHARE,
            queries.MODEL_VRAM,
            queries.MODEL_SLOTS,
            queries.MODEL_SLOTS_BUSY,
            queries.MODEL_UNSERVED,
            queries.MODEL_LAYERS,
        ],
        columns,
        Size(16, 7),
        sort=[("Value #B", True), ("model", False)],
        empty=NO_MODEL,
        gather=[RELATIONS, LAYERS],
    )


def _gpus() -> Panel:
    columns = [
        Column("gpu", "GPU", width=60, filterable=False),
        Column("name", "Name", filterable=False),
        Column("Value #A", "Memory", unit="decbytes", width=80),
        Column("Value #B", "Reserved", unit="decbytes", width=80),
        Column("Value #C", "Bandwidth", unit="Bps", width=85),
    ]
    return table(
        "GPUs",
        "The GPUs that the node tells of, by their position in its list; reserved memory is not for models.",
        [queries.GPU, queries.GPU_RESERVED, queries.GPU_BANDWIDTH],
        columns,
        Size(8, 7),
        sort=[("gpu", False)],
        empty=NO_GPU,
    )


def _load() -> Line:
    slots = [
        Series("requests in flight", queries.INFLIGHT, BLUE),
        Series("slots busy", queries.SLOTS_BUSY, GREEN),
        Series("slots", queries.SLOTS, GREY),
    ]
    size = Size(8, 7)
    return (
        time_series(
            "Requests",
            "Requests that the node routed, by outcome. One that is routed from node to node counts on both: never add "
            "them up over a mesh.",
            [
                Series("succeeded", queries.requests("success"), GREEN),
                Series("failed", queries.requests("failure"), RED),
            ],
            size,
            unit="reqps",
            stacked=True,
            empty=NOT_READ,
        ),
        time_series(
            "Slots and requests in flight",
            "Requests in flight (tunnelled ones count twice upstream) against the slots of the models that are ready.",
            slots,
            size,
            empty=NOT_READ,
        ),
        state_timeline(
            "Models over time",
            "The relation of the node to each model: it hosts it, is assigned to serve it (serving), was told to serve "
            "it (requested), or has it on its disk (available).",
            queries.MODELS_OVER_TIME,
            "{{model}}",
            RELATION,
            size,
            empty=NO_MODEL,
            per_page=6,
        ),
    )

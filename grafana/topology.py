"""The dashboard `Topology`: who is connected to whom, who serves what, and since when. No wakeable node is in it."""

from __future__ import annotations

from grafana import links, states, variables
from grafana.annotations import MESH
from grafana.panels import (
    Board,
    Column,
    Gather,
    Line,
    Panel,
    Series,
    Size,
    bar_gauge,
    hub_graph,
    ring_graph,
    stat,
    state_timeline,
    table,
)
from grafana.queries import graphs, shared
from grafana.queries import topology as queries
from grafana.states import GREY, NODE, NODE_CONDITION, RED

NO_NODE = "no node in these fleets"
HOSTED = Gather("E", "model", ("fleet", "node"))


def topology() -> Board:
    """The dashboard of meshes."""
    return Board(
        links.TOPOLOGY,
        "Rollcall: Topology",
        "Who is connected to whom, in which state, serving what, and where views of it differ.",
        (_now(), (_mesh(), _history()), (_nodes(),), (_disagreement(),), (_serving(),)),
        (variables.FLEET, variables.OBSERVER),
        MESH,
    )


def _now() -> Line:
    nodes = [Series(state, shared.nodes(state), look.colour) for state, look in NODE.items()]
    doubtful = [
        Series("unconfirmed", queries.UNCONFIRMED, NODE_CONDITION["unconfirmed"].colour, alarming=True),
        Series("ghost", queries.GHOSTS, NODE_CONDITION["ghost"].colour, alarming=True),
        Series("disagree", queries.DISAGREE, RED, alarming=True),
    ]
    ledgers = [Series(state, shared.vram(state), NODE[state].colour) for state in ("serving", "loading", "standby")]
    return (
        stat("Nodes by state", "Confirmed nodes by state: what to count on.", nodes, Size(9, 4), unit="locale"),
        stat(
            "In doubt",
            "Nodes that peers list though nobody confirms them (for a ghost, nobody has measured a latency for two "
            "minutes), and nodes of which two consoles tell different things.",
            doubtful,
            Size(7, 4),
            unit="locale",
        ),
        bar_gauge("VRAM by state", "VRAM budgets of confirmed nodes by state.", ledgers, Size(8, 4), unit="decbytes"),
    )


def _mesh() -> Panel:
    return ring_graph(
        "The mesh as it is seen by $observer",
        "The nodes of one mesh: state by colour and word; inside, VRAM and the round trip time from the node in the "
        "middle. Dashed: it knows the peer from hearsay only. Click a node for more.",
        graphs.MESH_NODES,
        {"fixedx": graphs.MESH_X, "fixedy": graphs.MESH_Y, "noderadius": graphs.MESH_RADIUS},
        graphs.MESH_EDGES,
        Size(15, 20),
        empty="choose a node to look from; there is none where no console is read",
        legend={"mainstat": "VRAM", "secondarystat": "round trip", "color": "state"},
        links=[links.link("this node", links.NODE, node=links.cell("id"))],
    )


def _history() -> Panel:
    return state_timeline(
        "State of every node",
        "The state of each node over time; unconfirmed, ghost and gone stand in for it where nobody vouches for the "
        f"node. The first {queries.PLACES} nodes of each fleet, a page at a time.",
        queries.HISTORY,
        "{{name}}",
        NODE_CONDITION,
        Size(9, 20),
        empty=NO_NODE,
        links=[links.node_of_series()],
    )


def _nodes() -> Panel:
    columns = [
        Column("name", "Node", links=(links.node_of_row(node="Id", fleet="Fleet"),), width=150),
        Column("Value #A", "State", badges=states.by_number(NODE_CONDITION), width=110),
        Column("Value #D", "Since", unit="dateTimeFromNow", width=140),
        Column(HOSTED.field, "Models", pills=True, filterable=False),
        Column("Value #C", "VRAM", unit="decbytes", gauge=True, width=170),
        Column("role", "Role", width=80),
        Column("version", "Version", width=90),
        Column("basis", "Basis", width=90),
        Column("Value #F", "Views", width=65),
        Column("fleet", "Fleet", width=110),
        Column("node", "Id", width=120),
    ]
    return table(
        "Nodes",
        f"Every node that is listed, up to {queries.ROWS}, those in doubt first. Basis tells whose view gives the "
        "state: the node's own, a quorum of peers, or a single one; views counts the consoles that see it. Models are "
        "those that it hosts, alone or a part of.",
        [queries.ROW, queries.ROW_INFO, queries.VRAM, queries.SINCE, queries.MODELS, queries.VIEWS],
        columns,
        Size(24, 10),
        sort=[("Value #A", True), ("name", False)],
        empty=NO_NODE,
        gather=[HOSTED],
    )


def _serving() -> Panel:
    return hub_graph(
        "Serving map",
        "Models to the left, with the VRAM behind each, and to the right the confirmed nodes that host them. Red is a "
        "model that was asked for and that nobody serves.",
        graphs.SERVING_MODELS,
        graphs.SERVING_NODES,
        graphs.SERVING_EDGES,
        Size(24, 17),
        empty="no model is served and none was asked for",
        legend={"mainstat": "VRAM", "color": "state"},
    )


def _disagreement() -> Panel:
    seen = [
        Column(f"Value #{ref}", f"Sees {state}", limits=((None, GREY), (1, NODE[state].colour)), width=105)
        for ref, state in zip("BCDE", NODE, strict=True)
    ]
    columns = [
        Column("name", "Node", links=(links.node_of_row(node="Id", fleet="Fleet"),), width=150),
        Column("Value #A", "State", badges=states.by_number(NODE_CONDITION), width=100),
        Column("reported", "Reported", badges=states.by_word(NODE), width=100),
        *seen,
        Column("Value #F", "Disagree, real", limits=((None, GREY), (1, RED)), width=110),
        Column("Value #G", "Disagree, expected", width=140),
        Column("fleet", "Fleet"),
        Column("node", "Id"),
    ]
    return table(
        "Where views disagree",
        "Nodes that consoles see in different states, and how many see each. Real: two reads that cannot both be "
        "right; expected: it comes of mesh-llm's two rules for one state. Reported: the node's own word where Rollcall "
        "overrides it.",
        [
            queries.ODD_ROW,
            *(queries.odd_views(state) for state in NODE),
            queries.odd_kind("real"),
            queries.odd_kind("expected"),
            queries.ODD_REPORTED,
        ],
        columns,
        Size(24, 6),
        sort=[("Value #F", True), ("name", False)],
        empty="all views agree",
    )

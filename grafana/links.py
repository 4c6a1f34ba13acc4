"""Where a row, a band or a number leads: the next dashboard, about the thing that was clicked, at the same time.

Every link carries the data source, the time range, and the variables given here. A field of a row is put in by its name
and percent-encoded, for names come from the fleet: `${__data.fields.node:percentencode}` in tables and node graphs,
`${__field.labels.node:percentencode}` in charts and timelines.
"""

from __future__ import annotations

from grafana.panels.parts import Link

FLEET, TOPOLOGY, NODE = "rollcall-fleet", "rollcall-topology", "rollcall-node"
RUNNERS, RUNNER, WAKEABLE = "rollcall-runners", "rollcall-runner", "rollcall-wakeable"
HOSTS, ROLLCALL = "rollcall-hosts", "rollcall-self"

CHOSEN_FLEETS = "${fleet:queryparam}"


def cell(field: str) -> str:
    """The value of a field (its name, or the title of its column) in the row that was clicked."""
    return "${__data.fields." + field + ":percentencode}"


def label(name: str) -> str:
    """The value of a label of the series that was clicked."""
    return "${__field.labels." + name + ":percentencode}"


def link(title: str, uid: str, **variables: str) -> Link:
    """A link to a dashboard with these variables; without `fleet`, the fleets that are chosen now."""
    fleets = f"var-fleet={variables.pop('fleet')}" if "fleet" in variables else CHOSEN_FLEETS
    named = "".join(f"&var-{name}={value}" for name, value in variables.items())
    return Link(title, f"/d/{uid}?${{datasource:queryparam}}&{fleets}{named}&${{__url_time_range}}")


def node_of_row(title: str = "this node", node: str = "node", fleet: str = "fleet") -> Link:
    """From a row with the fields `node` and `fleet` to the dashboard of that node."""
    return link(title, NODE, fleet=cell(fleet), node=cell(node))


def node_of_series(title: str = "this node") -> Link:
    """From a series with the labels `node` and `fleet` to the dashboard of that node."""
    return link(title, NODE, fleet=label("fleet"), node=label("node"))


def runner_of_row(title: str = "this runner", worker: str = "worker", fleet: str = "fleet") -> Link:
    """From a row with the fields `worker` and `fleet` to the dashboard of that worker."""
    return link(title, RUNNER, fleet=cell(fleet), worker=cell(worker))


def runner_of_series(title: str = "this runner") -> Link:
    """From a series with the labels `worker` and `fleet` to the dashboard of that worker."""
    return link(title, RUNNER, fleet=label("fleet"), worker=label("worker"))


def fleet_of_row(title: str, uid: str, fleet: str = "fleet") -> Link:
    """From a row with the field `fleet` to another dashboard about that fleet."""
    return link(title, uid, fleet=cell(fleet))


def fleet_of_series(title: str, uid: str) -> Link:
    """From a series with the label `fleet` to another dashboard about that fleet."""
    return link(title, uid, fleet=label("fleet"))


def host_of_row(title: str = "this host", instance: str = "instance") -> Link:
    """From a row with the field `instance` to the dashboard of hosts, narrowed to that one."""
    return link(title, HOSTS, instance=cell(instance))

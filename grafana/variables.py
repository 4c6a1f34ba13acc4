"""The variables of the dashboards. `datasource` is not among them: every dashboard has it, first."""

from __future__ import annotations

from dataclasses import dataclass

from grafana.states import WORKER_HISTORY

FLEETS = 'fleet=~"$fleet"'
"""The matcher that every query about fleets has."""


@dataclass(frozen=True)
class Variable:
    """A variable whose choices a query gives.

    `several` offers any number of them and all at first; all means `.*`, so also those that the query does not list.
    One that is not `several` starts with the first choice. `regex` takes the choices out of `query_result(…)`, with the
    groups `text` and `value`. Choices keep the order of the query unless `sorted`. One that is not `shown` is only
    carried on to other dashboards.
    """

    name: str
    label: str
    description: str
    query: str
    several: bool = False
    regex: str = ""
    sorted: bool = True
    shown: bool = True


@dataclass(frozen=True)
class Choice:
    """A variable with these values, any number of them and all at first; all means `.*`."""

    name: str
    label: str
    description: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A variable that is typed in; empty at first."""

    name: str
    label: str
    description: str


FLEET = Variable(
    "fleet",
    "Fleet",
    "Groups of nodes or workers, as the configuration names them.",
    "label_values(rollcall_source_up, fleet)",
    several=True,
)
NODE = Variable(
    "node",
    "Node",
    "One node of a mesh, shown by host name where it has told one; one that has gone is offered for an hour.",
    f"query_result(fleet_node_name:rollcall_node_info:max{{{FLEETS}}})",
    regex='/name="(?<text>[^"]*)".*node="(?<value>[^"]*)"/',
)
OBSERVER = Variable(
    "observer",
    "Observer",
    "The node through whose eyes the mesh is shown: one whose console is read. The one that sees most comes first.",
    "query_result(sort_desc("
    f"count by (fleet, node) (max by (fleet, node, peer) (rollcall_node_peer{{{FLEETS}}}))"
    " * on (fleet, node) group_left (hostname) "
    "max by (fleet, node, hostname) (rollcall_node_info)"
    "))",
    regex='/hostname="(?<text>[^"]*)".*node="(?<value>[^"]*)"/',
    sorted=False,
)
WORKER = Variable(
    "worker", "Runner", "One worker of a store.", f"label_values(rollcall_worker_status{{{FLEETS}}}, worker)"
)
MODEL = Variable(
    "model",
    "Model",
    "Models that a node hosts, serves or was told to serve.",
    f"label_values(rollcall_node_model{{{FLEETS}}}, model)",
    several=True,
)
PROVIDER = Variable(
    "provider",
    "Provider",
    "Who would wake a sleeping node.",
    f"label_values(rollcall_wakeable_info{{{FLEETS}}}, provider)",
    several=True,
)
NODE_HOST = Variable(
    "host",
    "Its host",
    "The Rollcall on the machine of the node: one that Prometheus scrapes by the host name that the node gives.",
    "query_result(label_replace(max by (instance) (rollcall_host_boot_timestamp_seconds), "
    '"hostname", "$1", "instance", "(.+):[0-9]+")'
    " * on (hostname) group_left () "
    f'max by (hostname) (rollcall_node_info{{{FLEETS},node="$node",hostname!=""}}))',
    regex='/instance="(?<value>(?<text>[^"]*))"/',
)
HOST = Variable(
    "instance",
    "Host",
    "Hosts that run Rollcall, by the address that Prometheus scrapes.",
    "label_values(rollcall_host_boot_timestamp_seconds, instance)",
    several=True,
)
EXPORTER = Variable(
    "instance",
    "Exporter",
    "Rollcalls, by the address that Prometheus scrapes.",
    "label_values(rollcall_build_info, instance)",
    several=True,
)
STATUS = Choice(
    "status",
    "Status",
    "The effective status of a worker; gone is one that is no longer listed, for as long as it is remembered.",
    tuple(WORKER_HISTORY),
)
NAMED = Entry("named", "Name has", "A part of a worker's name, or a regular expression for one; empty for all.")

"""Queries, and parts of queries, that several dashboards use."""

from __future__ import annotations

from collections.abc import Mapping

from grafana.variables import FLEETS

ZERO = "max(rollcall_build_info) * 0"


def or_zero(expr: str) -> str:
    """A count, or 0 where there is nothing to count and an exporter to say so."""
    return f"{expr} or {ZERO}"


def nodes(state: str) -> str:
    """Confirmed nodes in a state."""
    return or_zero(f'sum(max by (fleet) (rollcall_nodes{{{FLEETS},state="{state}",standing="confirmed"}}))')


def workers(status: str) -> str:
    """Workers with a status."""
    return or_zero(f'sum(max by (fleet) (rollcall_workers{{{FLEETS},status="{status}"}}))')


def wakeables(state: str) -> str:
    """Wakeable nodes in a state."""
    return or_zero(f'sum(max by (fleet) (rollcall_wakeables{{{FLEETS},state="{state}"}}))')


def rollouts(status: str) -> str:
    """Rollouts in a status."""
    return or_zero(f'sum(max by (fleet) (rollcall_rollouts{{{FLEETS},status="{status}"}}))')


def vram(state: str) -> str:
    """The live VRAM ledger of a state: serving, loading or standby."""
    return or_zero(f'sum(fleet_state:rollcall_node_vram_bytes:sum{{{FLEETS},state="{state}"}})')


WAKEABLE_VRAM = or_zero(f"sum(fleet:rollcall_wakeable_vram_bytes:sum{{{FLEETS}}})")

NODE_NAMES = f"fleet_node_name:rollcall_node_info:max{{{FLEETS}}}"
"""1 per node, with `name`: its host name, or the beginning of its id; kept for an hour after the node has gone."""


def named(expr: str, of: str = "node") -> str:
    """`expr`, which has the labels fleet and node, with the name of the node; what has no name is left out."""
    return f"({expr}) * on (fleet, {of}) group_left (name) {NODE_NAMES}"


_ASLEEP = "on (fleet, source, kind) (fleet_source_kind:rollcall_source_asleep:max == 1)"


def source_state(up: str) -> str:
    """`up` of each source, and 0.5 where it is 0 on a host that sleeps."""
    return f"({up} == 0) + 0.5 and {_ASLEEP} or {up}"


def sources_down(up: str) -> str:
    """Those of `up` that are 0 on a host that should be awake."""
    return f"{up} == 0 unless {_ASLEEP}"


def worded(expr: str, label: str, of: str, texts: Mapping[str, str]) -> str:
    """`expr` with a label that puts the word in another one into plain text."""
    for word, text in texts.items():
        expr = f'label_replace({expr}, "{label}", "{text}", "{of}", "{word}")'
    return expr

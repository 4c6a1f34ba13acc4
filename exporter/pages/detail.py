"""What the page of one node or worker shows: the words of `rollcall explain`, and what its row of the overview adds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from exporter.explain import text, worker_text
from exporter.exposition.labels import guard
from exporter.overview import Overview, WorkerRow
from exporter.pages.cells import NOTHING, share, size
from exporter.records.evidence import NodeEvidence
from exporter.records.worker_evidence import WorkerEvidence

VIEWS = "Views: * is the view that stands; a stale one does not count"
SIGNS = "Evidence: * is the newest evidence of life; ages are those at the read, on the store's clock"


def of_node(told: NodeEvidence, overview: Overview) -> dict[str, Any]:
    """What the template is filled with for a node."""
    names = {row.node: row for row in overview.nodes if row.fleet == guard(told.fleet)}
    row = names.get(guard(told.node))
    more = [] if row is None else [("models", ", ".join(row.models)), ("VRAM", size(row.vram_bytes).text)]
    peers = [] if row is None else [names[peer] for peer in row.peers if peer in names]
    return {
        "name": told.hostname or told.node,
        "known": told.node,
        "state": told.state or text.absence(told),
        "standing": told.standing if told.standing in ("unconfirmed", "ghost") else "",
        "facts": _said([*text.node_facts(told), *more]),
        "peers": [
            (peer.name, f"/nodes/{quote(peer.node, safe='')}?fleet={quote(peer.fleet, safe='')}") for peer in peers
        ],
        "tables": [
            (VIEWS, text.HEADINGS, text.view_rows(told)),
            ("Changes of state", text.TRANSITIONS, text.transition_rows(told)[::-1]),
        ],
    }


def of_worker(told: WorkerEvidence, overview: Overview) -> dict[str, Any]:
    """What the template is filled with for a worker."""
    key = guard(told.fleet), guard(told.worker)
    row = next((row for row in overview.workers if (row.fleet, row.worker) == key), None)
    more = [] if row is None else [("CPU", share(row.cpu_usage_ratio).text), ("memory", _memory(row))]
    changes = worker_text.transition_rows(told)[::-1]
    return {
        "name": told.worker,
        "known": told.worker,
        "state": told.status or worker_text.absence(told),
        "standing": "",
        "facts": _said([*worker_text.worker_facts(told), *more]),
        "peers": [],
        "tables": [
            (SIGNS, worker_text.HEADINGS, worker_text.sign_rows(told)),
            ("Changes of status", worker_text.TRANSITIONS, changes),
        ],
    }


def _memory(row: WorkerRow) -> str:
    used, total = size(row.memory_used_bytes).text, size(row.memory_total_bytes).text
    return used if total == NOTHING else f"{used} of {total}"


def _said(facts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, told) for name, told in facts if told and told != NOTHING]

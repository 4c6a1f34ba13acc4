"""Which workers a client asks for, and in which order: LightningStore's rules as SQL over the registry's table.

Agent Lightning 0.3.0, `store/collection/memory.py`: sorting is stable over the order of coming, a time that is None
counts as infinite, any other None as an empty text; texts are compared by code points.
"""

from __future__ import annotations

from typing import Any

import msgspec

COLUMNS = {
    "worker_id": "worker_id",
    "status": "status",
    "heartbeat_stats": "stats",
    "last_heartbeat_time": "last_heartbeat",
    "last_dequeue_time": "last_dequeue",
    "last_busy_time": "last_busy",
    "last_idle_time": "last_idle",
    "current_rollout_id": "rollout",
    "current_attempt_id": "attempt",
}
"""The fields of a worker in the order of Agent Lightning's model, and the column that holds each."""

UNORDERED = "heartbeat_stats"
"""The field whose values have no order."""

ALL = -1
"""The limit that is none."""

MOST = 2**62


class Selection(msgspec.Struct, frozen=True):
    """A question for workers: None and `ALL` are for no filter and no limit, `either` joins the filters with or."""

    status_in: tuple[str, ...] | None = None
    worker_id_contains: str | None = None
    either: bool = False
    sort_by: str | None = None
    descending: bool = False
    limit: int = ALL
    offset: int = 0

    def where(self) -> tuple[str, list[Any]]:
        """The condition that chooses rows, and its parameters."""
        conditions: list[str] = []
        given: list[Any] = []
        if self.status_in is not None:
            conditions.append(f"status IN ({', '.join('?' * len(self.status_in))})")
            given += self.status_in
        if self.worker_id_contains is not None:
            storable = _is_text(self.worker_id_contains)
            conditions.append("instr(worker_id, ?) > 0" if storable else "0")
            given += [self.worker_id_contains] if storable else []
        return (" OR " if self.either else " AND ").join(conditions) or "1", given

    def order(self) -> str:
        """The terms that rows are ordered by."""
        if self.sort_by is None or self.sort_by == UNORDERED:
            return "position"
        column, direction = COLUMNS[self.sort_by], " DESC" if self.descending else ""
        if self.sort_by.endswith("_time"):
            return f"{column} IS NULL{direction}, {column}{direction}, position"
        return f"ifnull({column}, ''){direction}, position"

    def window(self) -> tuple[int, int]:
        """Limit and offset as SQLite takes them."""
        return (ALL if self.limit == ALL else min(self.limit, MOST)), min(self.offset, MOST)


def _is_text(text: str) -> bool:
    """Tell whether a text can be stored at all: a lone surrogate can not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

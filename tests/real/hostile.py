"""A store that says what no store should: names that try to break labels, and numbers that try to break samples."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.real.web import Answer, Asked

NAMES = {
    "quotes": 'a"b""c\\"d',
    "newlines": "first\nsecond\r\nthird\n",
    "backslashes": "C:\\new\\\\table\\",
    "escapes as text": "a\\nb\\u0041\\x41",
    "emoji": "🦙 llama 👩‍🚀",
    "other scripts": "работник-工人-עובד",
    "long": "x" * 1000,
    "long beginning, other end": "x" * 999 + "y",
    "control characters": "a\x00b\x07c\x1bd\x7fe\x85f",
    "control characters, others": "a\x01b\x07c\x1bd\x7fe\x85f",
    "line separators": "a\u2028b\u2029c\x0bd",
    "label syntax": '"} 1\nrollcall_worker_status{worker="forged',
    "exposition syntax": "# HELP x y\n# EOF\n",
    "blanks": "  two  ",
    "one blank": " ",
    "braces": "{}={},#",
    "html": "<script>alert(1)</script>",
    "format": "%s {0} ${x}",
    "byte order mark": "\ufeffworker",
    "right to left": "\u202eevil\u202c",
    "noncharacter": "a\uffffb\ufdd0c",
}

HEALTH = {"status": "ok"}

NUMBERS = {
    "cpu_usage_pct": [0, -0.0, 1e-320, 99.9, 100, 1e308],
    "mem_used_gb": [0.1, 1e300, 5e-324, 12345678.9, 123456789012345678, 1e308],
    "bytes_sent_mb": [0, 1e15, -1, 2**53 + 1, 0.30000000000000004, 1e22],
}


def pages() -> dict[str, list[Any]]:
    """The items of the store's lists: workers with hostile names that hold hostile rollouts."""
    now = time.time()
    workers, rollouts = [], []
    for place, name in enumerate(NAMES.values()):
        stats = {field: values[place % len(values)] for field, values in NUMBERS.items()} | {"host": name, "os": name}
        attempt = {"attempt_id": f"at {name}", "status": "running", "worker_id": name, "last_heartbeat_time": now}
        held = {"current_rollout_id": f"ro {name}", "current_attempt_id": attempt["attempt_id"]}
        times = {"last_heartbeat_time": now, "last_dequeue_time": now - 0.1, "last_busy_time": now}
        workers.append({"worker_id": name, "status": "busy", "heartbeat_stats": stats, **times, **held})
        rollouts.append({"rollout_id": held["current_rollout_id"], "status": "running", "attempt": attempt})
    return {"workers": workers, "rollouts": rollouts}


def hostile_store(asked: Asked) -> Answer:
    """Answer for such a store."""
    parts = urlsplit(asked.target)
    query = parse_qs(parts.query)
    if parts.path.endswith("/health"):
        value: Any = HEALTH
    elif parts.path.endswith("/statistics"):
        value = {"uptime": 1234.5}
    else:
        items = pages()[parts.path.rpartition("/")[2]]
        if "running" not in query.get("status_in", ["running"]):
            items = []
        value = {"items": items, "limit": 500, "offset": 0, "total": len(items)}
    return Answer(200, msgspec.json.encode(value), {"Date": formatdate(usegmt=True)})


def many_workers(count: int) -> Callable[[Asked], Answer]:
    """A store with so many busy workers and no rollouts; its pages are encoded once."""
    now = time.time()
    stats = {"host": "node-a", "os": "Linux", "cpu_usage_pct": 1.5, "mem_used_gb": 2.5, "mem_total_gb": 3.5}
    times = {"last_heartbeat_time": now, "last_dequeue_time": now, "last_busy_time": now}
    workers = [
        {"worker_id": f"trainer-runner-{number:06d}", "status": "busy", "heartbeat_stats": stats, **times}
        for number in range(count)
    ]
    empty = {"items": [], "limit": 500, "offset": 0, "total": 0}
    pages = {
        offset: msgspec.json.encode(
            {**empty, "items": workers[offset : offset + 500], "offset": offset, "total": count}
        )
        for offset in range(0, count, 500)
    }

    def respond(asked: Asked) -> Answer:
        parts = urlsplit(asked.target)
        offset = int(parse_qs(parts.query).get("offset", ["0"])[0])
        rest = HEALTH if parts.path.endswith("/health") else empty
        body = pages[offset] if parts.path.endswith("/workers") else msgspec.json.encode(rest)
        return Answer(200, body, {"Date": formatdate(usegmt=True)})

    return respond

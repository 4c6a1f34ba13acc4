"""A LightningStore of N workers whose figures all change between two reads, as a process of its own.

`python -m tests.bench.canned_store N` prints its port and serves until its standard input closes.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 500
START = 1795333844.0


def worker(number: int, version: int) -> dict[str, Any]:
    """One worker with telemetry and no GPU; every changing figure differs between versions."""
    now = START + 10 * version + number / 1e6
    busy = (number + version) % 2
    return {
        "worker_id": f"trainer-{number // 8}-runner-{number % 8}",
        "status": "busy" if busy else "idle",
        "heartbeat_stats": {
            "timestamp": f"2026-11-22T07:50:{44 + 10 * version}",
            "host": f"node-{number // 8}",
            "os": "Linux-6.1-x86_64",
            "cpu_name": "AMD EPYC",
            "cpu_cores": 16,
            "cpu_threads": 32,
            "cpu_usage_pct": (number * 7 + version * 3) % 1000 / 10,
            "mem_used_gb": round(20 + (number + version) % 997 / 100, 2),
            "mem_total_gb": 125.7,
            "mem_pct": 17.0,
            "disk_used_gb": round(300 + (number + version) % 997 / 100, 2),
            "disk_total_gb": 960.0,
            "disk_pct": 32.3,
            "bytes_sent_mb": round(8772.71 + version + number / 100, 2),
            "bytes_recv_mb": round(11748.89 + version + number / 100, 2),
        },
        "last_heartbeat_time": now,
        "last_dequeue_time": now - 1,
        "last_busy_time": now - 2,
        "last_idle_time": now - 3,
        "current_rollout_id": f"ro-{number:012x}" if busy else None,
        "current_attempt_id": f"at-{number:08x}" if busy else None,
    }


def pages(count: int, version: int) -> list[bytes]:
    """Every page of `/workers`, encoded."""
    encoded = []
    for offset in range(0, count, PAGE):
        items = [worker(number, version) for number in range(offset, min(count, offset + PAGE))]
        page = {"items": items, "limit": PAGE, "offset": offset, "total": count}
        encoded.append(json.dumps(page, separators=(",", ":")).encode())
    return encoded


class Handler(BaseHTTPRequestHandler):
    """Answers workers by page, the other version at every first page; nothing else is there."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    versions: tuple[list[bytes], list[bytes]]
    reads = 0

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        body = b'{"items":[],"limit":500,"offset":0,"total":0}'
        if url.path.endswith("/workers"):
            offset = int(query["offset"][0])
            type(self).reads += offset == 0
            body = self.versions[type(self).reads % 2][offset // PAGE]
        elif url.path.endswith("/statistics"):
            body = b'{"uptime": 60.0}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header: the store's clock stands still."""
        return super().date_time_string(START)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main(count: int) -> None:
    """Serve until standard input closes."""
    Handler.versions = (pages(count, 0), pages(count, 1))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))

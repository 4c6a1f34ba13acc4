"""A LightningStore of N workers of whom some change between two reads, as a process of its own.

`python -m tests.bench.canned_store N` prints its port and serves until its standard input closes. `/-/change` says who
changes between two reads: `share` of all, drawn anew each time, in runs of `run` neighbours. Who changes has sent a
heartbeat with other figures, and all its times are others; with `flip=1` its status is another too. `/-/began` says
when the last read began, on the monotonic clock.
"""

from __future__ import annotations

import json
import random
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 500
START = 1795333844.0
EMPTY = b'{"items":[],"limit":500,"offset":0,"total":0}'


def worker(number: int, version: int, flip: bool = False) -> dict[str, Any]:
    """One worker with telemetry and no GPU; every figure that changes differs between versions."""
    now = START + 10 * version + (number * 7 + version * 3) % 1000 / 1e3
    busy = (number + flip) % 2
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


def encoded(count: int, version: int, flip: bool = False) -> list[bytes]:
    """Every worker in one version, as JSON."""
    return [json.dumps(worker(number, version, flip), separators=(",", ":")).encode() for number in range(count)]


class Fleet:
    """The pages of `/workers`: at every first page of a read, some workers go to their other version."""

    def __init__(self, count: int) -> None:
        self.began = 0.0
        self._count = count
        self._versions = [encoded(count, 0), encoded(count, 1)]
        self._now = [0] * count
        self._changed, self._run = count, count
        self._chance = random.Random(count)

    def change(self, share: float, run: int, flip: bool) -> None:
        """Say who changes from now on."""
        self._run = min(run, self._count)
        self._changed = round(self._count * share)
        self._versions[1] = encoded(self._count, 1, flip)

    def page(self, offset: int) -> bytes:
        """One page, as JSON."""
        if not offset:
            self.began = time.monotonic()
            starts = range(0, self._count, self._run)
            for start in self._chance.sample(starts, min(len(starts), -(-self._changed // self._run))):
                for number in range(start, min(start + self._run, self._count)):
                    self._now[number] = 1 - self._now[number]
        wanted = range(offset, min(self._count, offset + PAGE))
        items = b",".join([self._versions[self._now[number]][number] for number in wanted])
        return b'{"items":[%b],"limit":%d,"offset":%d,"total":%d}' % (items, PAGE, offset, self._count)


class Handler(BaseHTTPRequestHandler):
    """Answers for workers by page, for its health, and for no rollouts."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fleet: Fleet

    def do_GET(self) -> None:
        """Answer."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = EMPTY
        if url.path.endswith("/workers"):
            body = self.fleet.page(int(query["offset"]))
        elif url.path.endswith("/statistics"):
            body = b'{"uptime": 60.0}'
        elif url.path.endswith("/health"):
            body = b'{"status": "ok"}'
        elif url.path == "/-/change":
            self.fleet.change(float(query["share"]), int(query["run"]), query["flip"] == "1")
        elif url.path == "/-/began":
            body = str(self.fleet.began).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header: the store's clock stands still."""
        return super().date_time_string(START + 11)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main(count: int) -> None:
    """Serve until standard input closes."""
    Handler.fleet = Fleet(count)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))

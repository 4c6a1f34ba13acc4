"""A light client that sends heartbeats over kept connections and times every answer: sockets and epoll alone."""

from __future__ import annotations

import heapq
import json
import select
import socket
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

BODY_BYTES = 700
GPU = {"gpu": "NVIDIA H100", "util_pct": 50, "mem_used_mb": 1000, "mem_total_mb": 81920, "temp_c": 50}
STATS = {
    "timestamp": "2026-11-22T10:00:00",
    "host": "gpu-box-01.example",
    "os": "Linux-6.1.0-13-amd64-x86_64",
    "cpu_name": "x86",
    "cpu_cores": 64,
    "cpu_threads": 128,
    "cpu_usage_pct": 12.5,
    "mem_used_gb": 100.2,
    "mem_total_gb": 512.1,
    "mem_pct": 19.6,
    "disk_used_gb": 100.0,
    "disk_total_gb": 2000.0,
    "disk_pct": 5.0,
    "bytes_sent_mb": 12345.6,
    "bytes_recv_mb": 54321.0,
    "gpus": [GPU, GPU],
}
BODY = json.dumps({"heartbeat_stats": STATS}).encode().ljust(BODY_BYTES)
HEAD = (
    b"POST /v1/agl/workers/%b HTTP/1.1\r\n"
    b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


class Beats(NamedTuple):
    """What came of heartbeats: how many seconds all took, and each, in order of length; all were acknowledged."""

    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Acknowledged heartbeats a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in seconds that this share of the heartbeats does not exceed."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


def request(worker: str) -> bytes:
    """A whole heartbeat."""
    return HEAD % (worker.encode(), len(BODY)) + BODY


class _Connection:
    """Sends the next of its requests when the one before is answered."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = time.perf_counter()
        self.sent = 0.0
        self._requests = requests
        self._answer = b""

    def send(self) -> bool:
        """Send the next request; false when there is none."""
        following = next(self._requests, None)
        if following is None:
            return False
        self.sent = time.perf_counter()
        self.socket.sendall(following)
        return True

    def answered(self) -> bool:
        """Read what came; tells whether the answer is whole, raises AssertionError for one that is none of success."""
        data = self.socket.recv(65536)
        self._answer = self._answer + data if self._answer else data
        if not self._answer.startswith(b"HTTP/1.1 200 "):
            raise AssertionError(self._answer[:300] or "the server closed a connection")
        head = self._answer.find(b"\r\n\r\n")
        at = self._answer.find(b"content-length: ", 0, head) + 16
        if head < 0 or len(self._answer) < head + 4 + int(self._answer[at : self._answer.find(b"\r", at)]):
            return False
        self._answer = b""
        return True


def beat(port: int, plans: Sequence[Iterator[bytes]], every: float = 0.0) -> Beats:
    """Send the requests of each plan over a connection of its own, `every` seconds apart or as fast as it goes.

    Raises AssertionError for an answer that is none of success.
    """
    started = time.perf_counter()
    connections = {each.socket.fileno(): each for each in (_Connection(port, plan) for plan in plans)}
    poll = select.epoll()
    for number, connection in connections.items():
        poll.register(number, select.EPOLLIN)
        connection.send()
    latencies: list[float] = []
    waiting: list[tuple[float, int]] = []
    while connections:
        for number, _ in poll.poll(max(0.0, waiting[0][0] - time.perf_counter()) if waiting else -1):
            connection = connections[number]
            if connection.answered():
                now = time.perf_counter()
                latencies.append(now - connection.sent)
                connection.due = connection.due + every if every else now
                heapq.heappush(waiting, (connection.due, number))
        while waiting and waiting[0][0] <= time.perf_counter():
            _, number = heapq.heappop(waiting)
            if not connections[number].send():
                poll.unregister(number)
                connections.pop(number).socket.close()
    poll.close()
    return Beats(time.perf_counter() - started, sorted(latencies))

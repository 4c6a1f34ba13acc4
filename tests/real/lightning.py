"""Real LightningStores, driven over their own REST API, and runners that behave as agentlightning 0.3.0's do.

API: `store/client_server.py`; a runner's heartbeats and dequeues: `runner/agent.py`.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tests.real.process import Process, free_port, missing, wait_until
from tests.real.web import Answer, answers, ask, post

HERE = Path(__file__).parent
PYTHON = os.environ.get("ROLLCALL_LIGHTNING_PYTHON") or str(HERE.parents[1] / ".cache/lightning/bin/python")
UNSAID = object()

STATS = {
    "timestamp": "2026-11-22T06:29:14",
    "host": "node-a",
    "os": "Linux-6.1-x86_64",
    "cpu_usage_pct": 37.5,
    "mem_used_gb": 21.5,
    "mem_total_gb": 125.5,
    "disk_used_gb": 310.25,
    "disk_total_gb": 1863.01,
    "bytes_sent_mb": 812.5,
    "bytes_recv_mb": 4096.5,
    "gpus": [{"gpu": "GPU 0", "util_pct": 91, "mem_used_mb": 61440, "mem_total_mb": 81559, "temp_c": 63}],
}


class Held(NamedTuple):
    """A rollout that was handed out, and the attempt at it."""

    rollout: str
    attempt: str


class Lightning:
    """A real store on a port of its own; it can be stopped, killed and started again."""

    def __init__(self, nursery: Nursery, scan: float) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = self.url + "/v1/agl"
        self._nursery = nursery
        self._scan = scan
        self.start()

    def start(self) -> None:
        """Start a store that knows nothing, and wait until it answers."""
        self._pid = self._nursery.fork(self.port, self._scan)
        wait_until(lambda: answers(self.api + "/health"), f"an answer of the store on {self.port}")

    def send(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        os.kill(self._pid, number)

    def kill(self) -> None:
        """End its process, and with it all it knows."""
        self.send(signal.SIGKILL)
        wait_until(lambda: not answers(self.api + "/health"), f"no answer of the store on {self.port}")

    def heartbeat(self, worker: str, stats: Any = UNSAID, timeout: float = 20.0) -> Answer:
        """Send a worker's heartbeat, with `heartbeat_stats` unless they are unsaid."""
        body = {} if stats is UNSAID else {"heartbeat_stats": stats}
        return post(f"{self.api}/workers/{worker}", body, timeout)

    def enqueue(self, **config: Any) -> str:
        """Put a rollout into the queue; gives its id."""
        rollout = {"input": {"task": "sum"}, "mode": "train", "config": config or None}
        created: list[dict[str, str]] = post(f"{self.api}/queues/rollouts/enqueue", {"rollouts": [rollout]}).json()
        return created[0]["rollout_id"]

    def dequeue(self, worker: str, timeout: float = 20.0) -> Held | None:
        """Ask for work."""
        body = {"worker_id": worker, "limit": 1}
        handed: list[Any] = post(f"{self.api}/queues/rollouts/dequeue", body, timeout).json()
        return Held(handed[0]["rollout_id"], handed[0]["attempt"]["attempt_id"]) if handed else None

    def report(self, held: Held, status: str, timeout: float = 20.0) -> None:
        """Report an attempt's status."""
        post(f"{self.api}/rollouts/{held.rollout}/attempts/{held.attempt}", {"status": status}, timeout).json()

    def worker(self, worker: str) -> dict[str, Any]:
        """A worker as the store sees it."""
        found: dict[str, Any] = ask(f"{self.api}/workers/{worker}").json()
        return found

    def rollouts(self, status: str) -> int:
        """How many rollouts are in a status."""
        total: int = ask(f"{self.api}/rollouts?status_in={status}&limit=1").json()["total"]
        return total


class Nursery:
    """The process that has imported agentlightning and forks stores; a context manager."""

    def __init__(self, folder: Path) -> None:
        if not Path(PYTHON).exists():
            missing(f"no agentlightning 0.3.0: expected an interpreter that has it at {PYTHON}")
        # litellm, which agentlightning imports, asks the internet for prices unless told otherwise.
        environ = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        script = str(HERE / "lightning_store.py")
        self._process = Process([PYTHON, script], folder / "lightning.log", environ, piped=True)

    def __enter__(self) -> Nursery:
        wait_until(self._ready, "agentlightning to be imported", 120.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stdin = self._process.process.stdin
        assert stdin is not None
        stdin.close()
        try:
            self._process.wait()
        finally:
            self._process.end()

    def fork(self, port: int, scan: float) -> int:
        """Start a store on a port; gives its pid."""
        stdin = self._process.process.stdin
        assert stdin is not None
        before = len(self._forked(port))
        stdin.write(f"{port} {scan}\n".encode())
        stdin.flush()
        pids = wait_until(lambda: self._forked(port)[before:], f"the pid of a store on {port}")
        return int(pids[0])

    def _ready(self) -> bool:
        self._process.ended()
        return "ready" in self._process.output().splitlines()

    def _forked(self, port: int) -> list[str]:
        return re.findall(rf"(?m)^{port} (\d+)$", self._process.output())


class Runner:
    """A runner in a thread of its own: a heartbeat every `beat` seconds, and while it has no work, a dequeue each time.

    A store that does not answer costs it a request of `patience` seconds; it goes on as the real one does. As a
    context manager it lives until the end, or until `leave()`.
    """

    def __init__(self, store: Lightning, worker: str, *, beat: float, patience: float) -> None:
        self.worker = worker
        self.held: Held | None = None
        self._store = store
        self._beat = beat
        self._patience = patience
        self._leaving = threading.Event()
        self._finishing = threading.Event()
        self._threads: Sequence[threading.Thread] = ()

    def __enter__(self) -> Runner:
        self._leaving.clear()
        steps = (self._heartbeat, self._work)
        self._threads = [threading.Thread(target=self._live, args=(step,), daemon=True) for step in steps]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Stop all at once without a word to the store; what it holds stays held."""
        self._leaving.set()
        for thread in self._threads:
            thread.join()

    def finish(self) -> None:
        """Report success of what it holds, at the next beat."""
        self._finishing.set()

    def _live(self, step: Callable[[], None]) -> None:
        while not self._leaving.is_set():
            # A real runner outlives requests that a stopped store leaves open, and those that a restarted one rejects.
            with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
                step()
            self._leaving.wait(self._beat)

    def _heartbeat(self) -> None:
        self._store.heartbeat(self.worker, STATS, self._patience)

    def _work(self) -> None:
        if self.held is None:
            self.held = self._store.dequeue(self.worker, self._patience)
        elif self._finishing.is_set():
            self._store.report(self.held, "succeeded", self._patience)
            self._finishing.clear()
            self.held = None

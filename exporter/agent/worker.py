"""A worker that reports what it does to a registry, from a thread of its own: it costs its caller nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from exporter.agent.duty import Duty
from exporter.agent.heartbeat import Reporter, Reporting
from exporter.agent.snapshot import Snapshot
from exporter.agent.wire import Telephone
from exporter.endpoint import Endpoint, Secret, parse_url
from exporter.isolate import isolated

log = logging.getLogger("rollcall")

PORT = 10470
"""The port of a registry whose URL has none."""

REGISTRY = f"http://127.0.0.1:{PORT}"
INTERVAL = 10.0
SHORTEST, LONGEST = 0.1, 86400.0

GOODBYE = 2.0
"""Seconds that a goodbye may take."""

MOST_CHANGES = 1000
"""Changes that wait to be told at most; the oldest make room, and only the last ones count."""

LONGEST_ID = 256

NOT_WORKERS = ("search", "heartbeats")
"""What a path below `/v1/agl/workers` means where it is not a worker's id."""


class _Leave(NamedTuple):
    """The order to say goodbye by `end`, on the monotonic clock, and then to call `then`."""

    end: float
    then: Callable[[], None]


Change = Callable[[Duty], Duty]


class Worker:
    """Reports as one worker: that it lives, every `interval` seconds, and what it does, as soon as it says so.

    `registry` is a URL, `token` what it asks for; `snapshot` tells whether heartbeats describe the machine. Raises
    ValueError for what cannot be used. Nothing else raises, or waits for the registry, but the end: as a context
    manager it is idle from the start, marks its work failed if an exception ends it, and says goodbye, for which it
    waits 2 seconds at most. Every method may be called from any thread and from signal handlers. In a process that was
    forked off later they do nothing: the worker is its parent; a Worker of its own reports for a child.

    With `rollouts`, a LightningStore of Agent Lightning 0.3 gets a rollout for each that this works on: it has no
    other way to be told.
    """

    def __init__(
        self,
        worker_id: str,
        registry: str = REGISTRY,
        token: str | None = None,
        interval: float = INTERVAL,
        snapshot: bool = True,
        *,
        rollouts: bool = False,
    ) -> None:
        endpoint = endpoint_of(registry, token)
        self._reporting = Reporting(
            worker_id=checked_id(worker_id),
            place=endpoint.url,
            dial=Telephone(endpoint),
            interval=checked_interval(interval),
            snapshot=_machine() if snapshot else None,
            spread=random.Random().uniform,
            rollouts=rollouts,
        )
        self._lock = threading.RLock()
        self._inbox: SimpleQueue[Change | _Leave] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pid: int | None = None
        self._closed = self._complained = False

    def __repr__(self) -> str:
        return f"Worker({self._reporting.worker_id!r}, {self._reporting.place!r})"

    def __enter__(self) -> Worker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.idle()
        else:
            self.failed()
        self.close()

    def start(self) -> None:
        """Begin to report, if it has not begun; every method that says what it does begins too."""
        if self._pid is not None and self._pid != os.getpid():
            return
        with self._lock:
            if self._thread is not None:
                return
            self._pid, self._closed = os.getpid(), False
            run = partial(self._run, self._inbox)
            self._thread = threading.Thread(target=run, name="rollcall worker", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:
                self._thread = None
                if not self._complained:
                    log.warning("worker %s cannot report: %s", self._reporting.worker_id, error)
                self._complained = True

    def dequeue(self, claimed: bool = False) -> None:
        """It asked for work, and got some if `claimed`; what it held has succeeded."""
        self._change(lambda duty: duty.asked(claimed))

    def busy(self, rollout: str, attempt: str | None = None) -> None:
        """It works on a rollout: a name of the caller's for a piece of work; `attempt` is made up where there is none.

        What it held before has succeeded, unless it is the same.
        """
        names = _clean(rollout), None if attempt is None else _clean(attempt)
        fresh = f"at-{secrets.token_hex(6)}"
        self._change(lambda duty: duty.busy(*names, fresh))

    def idle(self) -> None:
        """It has done its work: what it held has succeeded."""
        self._change(lambda duty: duty.over("succeeded"))

    def failed(self) -> None:
        """It is idle, and what it held has failed."""
        self._change(lambda duty: duty.over("failed"))

    def close(self, seconds: float = GOODBYE) -> None:
        """Say goodbye: the registry forgets the worker. Waits so long at most; a registry that is away is left so."""
        over = threading.Event()
        if self.leave(over.set, seconds):
            over.wait(seconds)

    def leave(self, then: Callable[[], None], seconds: float = GOODBYE) -> bool:
        """Begin the goodbye, and call `then` from another thread after it; False if nothing is reported."""
        if self._pid != os.getpid():
            return False
        with self._lock:
            self._closed = True
            if self._thread is None:
                return False
            self._inbox.put(_Leave(time.monotonic() + seconds, then))
            self._thread, self._inbox = None, SimpleQueue()
        return True

    def _change(self, change: Change) -> None:
        if self._closed or self._pid not in (None, os.getpid()):
            return
        if self._inbox.qsize() >= MOST_CHANGES:
            with contextlib.suppress(Empty):
                self._inbox.get_nowait()
        self._inbox.put(change)
        if self._thread is None:
            self.start()

    def _run(self, inbox: SimpleQueue[Change | _Leave]) -> None:
        # The process' signals are for its other threads.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        reporter = Reporter(self._reporting)
        pause = 0.0
        while True:
            order = _take(inbox, reporter, pause)
            if order is not None:
                isolated("goodbye", partial(reporter.goodbye, order.end - time.monotonic()))
                order.then()
                return
            step = isolated("heartbeat", reporter.step)
            pause = self._reporting.interval if step.value is None else step.value


def endpoint_of(registry: str, token: str | None) -> Endpoint:
    """Where a registry is, and what opens it; raises ValueError without saying the token."""
    if not isinstance(registry, str):
        raise ValueError(f"expected a registry's URL, got {type(registry).__name__}")
    endpoint = parse_url(registry, PORT)
    if token is None:
        return endpoint
    if not isinstance(token, str) or not token or not all("!" <= letter <= "~" for letter in token):
        raise ValueError("expected a token of printable ASCII without spaces, got another text")
    if endpoint.username is not None:
        raise ValueError("expected a token or a user in the registry's URL, got both")
    return msgspec.structs.replace(endpoint, key=Secret(token))


def checked_id(worker_id: str) -> str:
    """A worker's id, which is part of a path; raises ValueError."""
    if not isinstance(worker_id, str):
        raise ValueError(f"expected a worker id, got {type(worker_id).__name__}")
    sound = worker_id.isprintable() and "/" not in worker_id and worker_id.strip(".")
    if not sound or len(worker_id) > LONGEST_ID or worker_id in NOT_WORKERS:
        expected = f"a worker id of 1 to {LONGEST_ID} printable characters, not only dots, without '/'"
        raise ValueError(f"expected {expected} and none of {', '.join(NOT_WORKERS)}, got {worker_id[:60]!r}")
    return worker_id


def checked_interval(seconds: float) -> float:
    """The seconds between two heartbeats; raises ValueError."""
    if not isinstance(seconds, int | float):
        raise ValueError(f"expected an interval in seconds, got {type(seconds).__name__}")
    if not SHORTEST <= seconds <= LONGEST:
        raise ValueError(f"expected an interval of {SHORTEST:g} s to {LONGEST:g} s, got {seconds:g} s")
    return seconds


def _take(inbox: SimpleQueue[Change | _Leave], reporter: Reporter, pause: float) -> _Leave | None:
    """Wait so many seconds for something to tell, and take note of all that there is; gives an order to leave."""
    try:
        order = inbox.get(timeout=pause)
        while not isinstance(order, _Leave):
            reporter.change(order)
            order = inbox.get_nowait()
    except Empty:
        return None
    return order


def _clean(name: str) -> str:
    """A name as a registry takes it: some text in UTF-8, not too long."""
    text = name if isinstance(name, str) else type(name).__name__
    return text.encode(errors="replace").decode()[:LONGEST_ID] or "unnamed"


def _machine() -> Callable[[], dict[str, Any]]:
    """Describe this machine; what it takes is imported at the first time, in the thread that asks."""
    found: list[Snapshot] = []

    def read() -> dict[str, Any]:
        if not found:
            from exporter.agent.machine import this_machine

            found.append(this_machine())
        return found[0].read()

    return read

"""The command `rollcall agent`: a worker that is a machine, or a program that it runs."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from exporter.agent.child import WATCHED, Attendant, CommandError, spawn
from exporter.agent.worker import GOODBYE, INTERVAL, REGISTRY, Worker

log = logging.getLogger("rollcall")

ENDING = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
"""What ends an agent without a program, and the goodbye of one with."""

WRONG = 2


class AgentOptions(NamedTuple):
    """What the command line says. `command` is a program and its arguments."""

    registry: str = REGISTRY
    worker_id: str | None = None
    interval: float = INTERVAL
    token_file: str | None = None
    rollouts: bool = False
    snapshot: bool = True
    command: Sequence[str] | None = None


def run(options: AgentOptions) -> int:
    """Report until the program ends, or until SIGTERM, SIGINT or SIGHUP; gives the exit status.

    That of the program, 127 where it is not found, 126 where it cannot be run; without a program 0. 2 for a wrong
    command line.
    """
    before = _block(WATCHED if options.command else _ending() | {signal.SIGCHLD})
    try:
        worker = Worker(
            options.worker_id if options.worker_id is not None else default_id(bool(options.command)),
            options.registry,
            _token(options.token_file),
            options.interval,
            options.snapshot,
            rollouts=options.rollouts,
        )
        pid = spawn(options.command, before) if options.command else None
    except (ValueError, CommandError) as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sys.stderr.write(f"rollcall: {error}\n")
        return error.status if isinstance(error, CommandError) else WRONG
    return _run_alone(worker) if pid is None else _run_program(worker, pid)


def default_id(has_command: bool) -> str:
    """The id of a worker without one: the host's name; with a program also the agent's pid, for hosts run many."""
    host = socket.gethostname().replace("/", "-") or "localhost"
    return f"{host}-{os.getpid()}" if has_command else host


def _run_program(worker: Worker, pid: int) -> int:
    worker.busy(f"ro-{secrets.token_hex(6)}")
    status = Attendant(pid).wait()
    if status == 0:
        worker.idle()
    else:
        worker.failed()
    _leave(worker)
    return status


def _run_alone(worker: Worker) -> int:
    worker.start()
    log.info("reports as %r", worker)
    signal.sigwaitinfo(_ending())
    number = _leave(worker)
    return 0 if number is None else 128 + number


def _leave(worker: Worker) -> int | None:
    """Say goodbye, for as long as it may take, or until a signal asks for the end, which is given."""
    ending, end = _ending(), time.monotonic() + GOODBYE
    said: list[bool] = []

    def then() -> None:
        said.append(True)
        os.kill(os.getpid(), signal.SIGCHLD)

    if not worker.leave(then, GOODBYE):
        return None
    while not said and (left := end - time.monotonic()) > 0:
        info = signal.sigtimedwait(ending | {signal.SIGCHLD}, left)
        if info is not None and info.si_signo in ending:
            return info.si_signo
    return None


def _ending() -> set[signal.Signals]:
    """What ends an agent; a signal that it was started to ignore, as by nohup, would still come to who waits for it."""
    return {number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN}


def _block(signals: Collection[signal.Signals]) -> set[int]:
    """Let signals wait until they are asked for, also in threads that start later; gives the mask that was.

    They are not let through again: one that came too late would end the process with another status. The end of a
    child is not told to a process that ignores it.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, signals)}


def _token(file: str | None) -> str | None:
    """The token in a file, without the newline at its end; raises ValueError without saying it."""
    if file is None:
        return None
    try:
        return Path(file).read_text("utf-8").removesuffix("\n")
    except OSError as error:
        raise ValueError(f"--token-file: expected a readable file, got {file!r}: {error.strerror}") from None
    except UnicodeError:
        raise ValueError(f"--token-file: expected UTF-8 text, got other bytes in {file!r}") from None

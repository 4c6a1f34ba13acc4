"""Runs a program in the foreground as if nobody stood in between: its signals, its stops and its exit status."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Collection, Sequence
from signal import Signals
from typing import NamedTuple, Protocol

PASSED_ON = frozenset(
    (
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGWINCH,
        signal.SIGCONT,
        signal.SIGTSTP,
    )
)
STOPS = frozenset((signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))
WATCHED = PASSED_ON | STOPS | {signal.SIGCHLD}

SI_KERNEL = 0x80
"""`si_code` of a signal that the kernel sends, as a terminal does: include/uapi/asm-generic/siginfo.h of Linux."""

SOON = 10.0
"""Seconds after a request to stop within which a stop of the program is its answer."""

NOT_FOUND = 127
NOT_EXECUTABLE = 126


class CommandError(Exception):
    """A program that cannot be started; `status` is the exit status that a shell gives for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Info(Protocol):
    """A signal that came, as sigwaitinfo(2) tells it."""

    @property
    def si_signo(self) -> int: ...

    @property
    def si_code(self) -> int: ...


class System(NamedTuple):
    """The calls by which a program is attended to, for tests to replace."""

    wait: Callable[[frozenset[Signals]], Info] = signal.sigwaitinfo
    reap: Callable[[int, int], tuple[int, int]] = os.waitpid
    kill: Callable[[int, int], None] = os.kill
    pid: Callable[[], int] = os.getpid
    clock: Callable[[], float] = time.monotonic


def spawn(command: Sequence[str], mask: Collection[int]) -> int:
    """Start a program, found as a shell finds it, with a signal mask; gives its pid. Raises CommandError.

    Python ignores SIGPIPE and SIGXFSZ, and programs would inherit that.
    """
    if not command[0]:
        raise CommandError(NOT_FOUND, "cannot run '': expected the name of a program")
    try:
        return os.posix_spawnp(
            command[0],
            list(command),
            os.environ,
            setsigmask=mask,
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
        )
    except OSError as error:
        status = NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE
        raise CommandError(status, f"cannot run {command[0]!r}: {os.strerror(error.errno or 0)}") from None


class Attendant:
    """Stands between a program that it started and whoever started it; signals in `WATCHED` are blocked meanwhile.

    The program is in the same process group. What a terminal sends reaches it without help, and is not sent twice.
    """

    def __init__(self, pid: int, system: System | None = None) -> None:
        self._pid = pid
        self._system = system or System()
        self._stopped = False
        self._asked_at: float | None = None

    def wait(self) -> int:
        """Attend to the program until it ends; gives its exit status, 128 and the number for a signal."""
        status = self._look()
        while status is None:
            self._take(self._system.wait(WATCHED))
            status = self._look()
            if status is None:
                self._stop_too()
        return status

    def _take(self, info: Info) -> None:
        number = Signals(info.si_signo)
        if number in STOPS:
            self._asked_at = self._system.clock()
        elif number == signal.SIGCONT:
            self._asked_at = None
        if number in PASSED_ON and not self._reached(number, info.si_code):
            self._system.kill(self._pid, number)

    def _reached(self, number: Signals, code: int) -> bool:
        """Tell whether the program got a signal too: a terminal sends to the group, a hang-up to its leader alone."""
        return code == SI_KERNEL and number not in (signal.SIGHUP, signal.SIGCONT)

    def _look(self) -> int | None:
        """See how the program is; gives its exit status once it has ended.

        As the first process of a container this one is the parent of every orphan, and reaps them.
        """
        whose = -1 if self._system.pid() == 1 else self._pid
        while True:
            pid, status = self._system.reap(whose, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if pid == 0:
                return None
            if pid != self._pid:
                continue
            if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
                self._stopped = os.WIFSTOPPED(status)
                continue
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code

    def _stop_too(self) -> None:
        """Stop as the program did if somebody asked for it, so that a shell sees its job stopped; then go on with it.

        A program that somebody stopped on its own may be continued on its own: that says nothing here.
        """
        asked, system = self._asked_at, self._system
        if not self._stopped or asked is None or system.clock() - asked > SOON:
            return
        self._asked_at = None
        system.kill(system.pid(), signal.SIGSTOP)
        system.kill(self._pid, signal.SIGCONT)
        self._stopped = False

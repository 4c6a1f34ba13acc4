"""`rollcall agent`: a program that it runs behaves as without it, and the registry hears how it went."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.agents import AGENT, ROOT, Agent, run
from tests.real.process import free_port, wait_until
from tests.unit.book_server import Served, served

AWAY = "http://127.0.0.1:9"
"""A registry that nobody answers for: the discard port."""


@pytest.fixture
def book() -> Iterator[Served]:
    with served() as started:
        yield started


ENDS = {
    "success": ("exit 0", 0, "attempt succeeded"),
    "failure": ("exit 3", 3, "attempt failed"),
    "a signal": ("kill -KILL $$", 137, "attempt failed"),
    "its interruption": ("kill -INT $$", 130, "attempt failed"),
}


@pytest.mark.parametrize(("script", "status", "end"), ENDS.values(), ids=ENDS)
def test_exit_status_and_outcome_are_the_program_s(book: Served, script: str, status: int, end: str) -> None:
    ended = run("--registry", book.url, "--", "sh", "-c", script)
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, "", "")
    assert book.said[-2:] == [end, "goodbye"]
    assert book.workers == {}


def test_a_program_that_runs_is_a_busy_worker(book: Served, tmp_path: Path) -> None:
    with Agent(tmp_path, book.url, "--worker-id", "gpu-7", program=["sleep", "600"]) as agent:
        book.until(lambda book: book.said.count("heartbeat") > 2)
        assert book.workers["gpu-7"].status == "busy"
        assert re.fullmatch("ro-[0-9a-f]{12}", book.workers["gpu-7"].rollout or "")
        assert re.fullmatch("at-[0-9a-f]{12}", book.workers["gpu-7"].attempt or "")
        assert agent.output() == ""


NOT_STARTED = {"not found": ("no-such-program", 127), "not executable": (__file__, 126)}


@pytest.mark.parametrize(("program", "status"), NOT_STARTED.values(), ids=NOT_STARTED)
def test_a_program_that_cannot_be_started_is_nobody_s_work(book: Served, program: str, status: int) -> None:
    ended = run("--registry", book.url, "--", program)
    assert ended.returncode == status
    assert ended.stderr.startswith(f"rollcall: cannot run {program!r}: ")
    assert book.said == []


def test_streams_arguments_and_environment_are_the_program_s() -> None:
    script = 'cat; echo "$0 $1 $MARK"; echo wrong >&2'
    environ = {**os.environ, "MARK": "here"}
    ended = run("--registry", AWAY, "--", "sh", "-c", script, "a b", "--", told="told\n", environ=environ)
    assert (ended.returncode, ended.stdout) == (0, "told\na b -- here\n")
    assert ended.stderr.splitlines()[-1] == "wrong" or "cannot report" in ended.stderr
    assert "wrong\n" in ended.stderr


def test_signals_are_blocked_and_ignored_for_the_program_as_without_an_agent() -> None:
    command = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    plain = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert len(_signals(plain.stdout)) == 2
    assert _signals(run("--registry", AWAY, "--", *command).stdout) == _signals(plain.stdout)


def _signals(status: str) -> list[int]:
    """Masks of signals, without the two that the C library keeps to itself: its posix_spawn ignores them."""
    return [int(mask, 16) & ~(0b11 << 31) for mask in re.findall(r"\t([0-9a-f]+)", status)]


def test_the_exit_status_arrives_even_where_the_end_of_children_is_ignored() -> None:
    line = 'trap "" CHLD; exec "$@"'
    command = ["sh", "-c", line, "sh", *AGENT, "--registry", AWAY, "--", "sh", "-c", "exit 3"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=ROOT).returncode == 3


TRAPS = """
import signal, sys, time
caught = []
for name in sys.argv[1:]:
    signal.signal(signal.Signals[name], lambda number, _: caught.append(number))
print("ready", flush=True)
while len(set(caught)) < len(sys.argv[1:]):
    time.sleep(0.05)
print(*sorted({signal.Signals(number).name for number in caught}), flush=True)
"""


def test_signals_reach_the_program(tmp_path: Path) -> None:
    names = sorted(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"])
    with Agent(tmp_path, AWAY, program=[sys.executable, "-c", TRAPS, *names]) as agent:
        wait_until(lambda: "ready" in agent.output(), "a program with handlers")
        for name in names:
            agent.send(signal.Signals[name])
        assert agent.wait() == 0
    assert " ".join(names) in agent.output()


def test_a_program_that_a_signal_ends_gives_128_and_the_number(book: Served, tmp_path: Path) -> None:
    with Agent(tmp_path, book.url, program=["sleep", "600"]) as agent:
        book.until(lambda book: "attempt running" in book.said)
        agent.send(signal.SIGTERM)
        assert agent.wait() == 128 + signal.SIGTERM
    assert book.said[-2:] == ["attempt failed", "goodbye"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_without_a_program_it_is_idle_until_a_signal(book: Served, tmp_path: Path, number: signal.Signals) -> None:
    with Agent(tmp_path, book.url) as agent:
        book.until(lambda book: book.said.count("heartbeat") > 2)
        assert [(worker.worker_id, worker.status) for worker in book.workers.values()] == [
            (socket.gethostname(), "idle")
        ]
        agent.send(number)
        assert agent.wait() == 0
    assert (book.said[0], book.said[-1]) == ("dequeue nothing", "goodbye")


def test_a_signal_that_is_ignored_does_not_end_it(book: Served, tmp_path: Path) -> None:
    with Agent(tmp_path, book.url, ignoring="HUP") as agent:
        book.until(lambda book: "heartbeat" in book.said)
        agent.send(signal.SIGHUP)
        beats = book.said.count("heartbeat")
        book.until(lambda book: book.said.count("heartbeat") > beats + 1)
        agent.send(signal.SIGTERM)
        assert agent.wait() == 0


def test_another_signal_ends_a_goodbye_that_nobody_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with Agent(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}") as agent:
            connection, _ = silent.accept()
            agent.send(signal.SIGTERM)
            agent.send(signal.SIGHUP)
            assert agent.wait() in (128 + signal.SIGTERM, 128 + signal.SIGHUP)
        connection.close()


def test_killed_it_leaves_its_program_and_says_nothing(book: Served, tmp_path: Path) -> None:
    """The registry goes on saying busy; whoever watches it sees the silence."""
    with Agent(tmp_path, book.url, program=["sh", "-c", "echo $$; exec sleep 600"]) as agent:
        book.until(lambda book: "attempt running" in book.said)
        pid = int(wait_until(agent.output, "the pid of the program"))
        try:
            agent.send(signal.SIGKILL)
            agent.wait()
            os.kill(pid, 0)
            assert "goodbye" not in book.said
            [worker] = book.workers.values()
            assert worker.status == "busy"
        finally:
            os.kill(pid, signal.SIGTERM)


def test_a_registry_that_comes_later_leaves_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with Agent(tmp_path, f"http://127.0.0.1:{port}", program=["sleep", "600"]) as agent:
        wait_until(lambda: _outages(agent) == 1, "a line that says that nobody answers")
        for outages in (2, 3):
            with served(port) as book:
                book.until(lambda book: book.said.count("heartbeat") > 1)
                assert [worker.status for worker in book.workers.values()] == ["busy"], "it knew nothing"
            wait_until(lambda: _outages(agent) == outages, "a line that says that it is away")  # noqa: B023
        agent.ended()


def _outages(agent: Agent) -> int:
    return agent.output().count("cannot report to")


def test_a_registry_that_is_away_does_not_hold_up_the_end() -> None:
    """Its goodbye has 2 s; a refused connection needs none of them."""
    started = time.monotonic()
    assert run("--registry", AWAY, "--", "true").returncode == 0
    print(f"ended {time.monotonic() - started:.2f} s after the start, with the registry away")


def test_a_token_opens_the_registry_and_is_not_shown(book: Served, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    ended = run("--registry", book.url, "--token-file", str(file), "--", "true")
    assert ended.returncode == 0
    assert {head["authorization"] for head in book.heads} == {"Bearer s3cret"}
    assert "s3cret" not in ended.stdout + ended.stderr


WRONG = {
    "nothing after --": (["--"], "rollcall: expected a program after --, got none"),
    "a program without --": (["sleep", "5"], "unrecognized arguments: sleep 5"),
    "interval": (["--interval", "soon"], "argument --interval: expected a duration such as 500ms, 5s or 1m30s"),
    "short interval": (["--interval", "5ms"], "rollcall: expected an interval of 0.1 s to 86400 s, got 0.005 s"),
    "registry": (["--registry", "h:1"], "rollcall: expected an http(s) URL, got 'h:1'"),
    "id": (["--worker-id", "a/b"], "got 'a/b'"),
    "no token": (["--token-file", "/no/such"], "--token-file: expected a readable file, got '/no/such'"),
    "empty token": (["--token-file", "/dev/null"], "expected a token of printable ASCII without spaces"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_usage_ends_with_status_2_before_anything_runs(arguments: list[str], message: str) -> None:
    ended = run(*arguments, *([] if "--" in arguments or "sleep" in arguments else ["--", "echo", "ran"]))
    assert ended.returncode == 2
    assert message in ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr

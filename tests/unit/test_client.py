"""`Worker`: what a program says of itself arrives, and costs the program nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.agent.worker import LONGEST_ID, MOST_CHANGES
from exporter.client import Worker
from tests.unit.book_server import Served, served
from tests.unit.registries import Book

ROOT = Path(__file__).parents[2]


@pytest.fixture
def book() -> Iterator[Served]:
    with served() as started:
        yield started


def worker(book: Served, **options: object) -> Worker:
    return Worker("w", book.url, **{"snapshot": False, **options})  # type: ignore[arg-type]


def status(book: Book) -> str | None:
    return book.workers["w"].status if "w" in book.workers else None


def rollout(book: Book) -> str | None:
    return book.workers["w"].rollout if "w" in book.workers else None


def test_a_worker_is_idle_busy_idle_and_gone(book: Served) -> None:
    with worker(book) as reported:
        book.until(lambda book: status(book) == "idle")
        reported.busy("r1", "a1")
        book.until(lambda book: status(book) == "busy")
        assert (book.workers["w"].rollout, book.workers["w"].attempt) == ("r1", "a1")
        reported.idle()
        book.until(lambda book: status(book) == "idle")
        reported.dequeue(claimed=True)
        book.until(lambda book: status(book) == "busy")
        reported.busy("r2")
        book.until(lambda book: rollout(book) == "r2")
        reported.failed()
        book.until(lambda book: book.workers["w"].attempt_status == "failed")
    assert book.workers == {}
    assert book.said[-1] == "goodbye"


def test_heartbeats_go_on_and_describe_the_machine(book: Served) -> None:
    with worker(book, interval=0.1, snapshot=True):
        book.until(lambda book: book.said.count("heartbeat") >= 3)
    stats = [asked.body["heartbeat_stats"] for asked in book.asked if asked.verb == "heartbeat"]
    assert stats[-1]["host"] == socket.gethostname()
    assert stats[-1]["mem_total_gb"] > 0


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (ValueError("of the caller"), "attempt failed"),
        (KeyboardInterrupt(), "attempt failed"),
        (SystemExit(1), "attempt failed"),
        (SystemExit(0), "attempt succeeded"),
        (None, "attempt succeeded"),
    ],
    ids=repr,
)
def test_the_end_of_the_block_is_the_end_of_the_work(book: Served, error: BaseException | None, end: str) -> None:
    with pytest.raises(type(error)) if error is not None else contextlib.nullcontext(), worker(book) as reported:
        reported.busy("r")
        book.until(lambda book: status(book) == "busy")
        if error is not None:
            raise error
    assert book.said[-2:] == [end, "goodbye"]


def test_it_begins_by_itself_and_says_nothing_after_its_goodbye(book: Served) -> None:
    reported = worker(book)
    reported.busy("r")
    book.until(lambda book: len(book.said) > 1)
    assert book.said[:2] == ["dequeue", "attempt running"], "never idle before"
    reported.close()
    reported.busy("late")
    reported.close()
    assert book.said[-1] == "goodbye"
    with reported:
        book.until(lambda book: status(book) == "idle")
    assert book.said[-1] == "goodbye"


def test_a_worker_that_never_began_has_no_goodbye(book: Served) -> None:
    worker(book).close()
    assert book.said == []


def test_a_registry_that_is_not_there_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Worker("w", f"http://127.0.0.1:{port}") as reported:
        for number in range(10 * MOST_CHANGES):
            reported.busy(f"r{number}")
        reported.idle()
    assert len([record for record in caplog.records if "cannot report" in record.getMessage()]) <= 1


def test_a_registry_that_never_answers_holds_up_only_the_goodbye() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reported = Worker("w", f"http://127.0.0.1:{listener.getsockname()[1]}", snapshot=False)
        with reported:
            connection, _ = listener.accept()
            reported.busy("r")
        connection.close()


def test_what_waits_is_bounded_and_its_end_counts(book: Served) -> None:
    reported = worker(book)
    for number in range(5 * MOST_CHANGES):
        reported.busy(f"r{number}", "a")
    book.until(lambda book: rollout(book) == f"r{5 * MOST_CHANGES - 1}")
    reported.close()
    assert len(book.asked) < MOST_CHANGES


def test_several_threads_may_report(book: Served) -> None:
    def work(name: str, reported: Worker) -> None:
        for number in range(200):
            reported.busy(f"{name}-{number}")
            reported.dequeue()

    with worker(book) as reported:
        threads = [threading.Thread(target=work, args=(name, reported)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reported.busy("last")
        book.until(lambda book: rollout(book) == "last")
    assert book.workers == {}


def test_a_signal_handler_may_report(book: Served) -> None:
    with worker(book) as reported:
        before = signal.signal(signal.SIGUSR1, lambda *_: reported.busy("handled"))
        try:
            for _ in range(100):
                os.kill(os.getpid(), signal.SIGUSR1)
                reported.busy("r")
        finally:
            signal.signal(signal.SIGUSR1, before)
        reported.busy("after")
        book.until(lambda book: rollout(book) == "after")


ODD = {"surrogate": "a\udc80", "empty": "", "long": "x" * 10_000, "slash": "a/b", "number": 7}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_a_rollout_of_any_name_is_told(book: Served, name: str) -> None:
    with worker(book) as reported:
        reported.busy(name, name)
        book.until(lambda book: status(book) == "busy")
        told = rollout(book)
    assert told
    assert len(told) <= LONGEST_ID


FORKED = """
import os, sys
from exporter.client import Worker

with Worker("parent", sys.argv[1], snapshot=False, interval=0.1) as parent:
    parent.busy("r")
    input()
    pid = os.fork()
    if pid == 0:
        parent.failed()
        parent.close()
        parent.start()
        with Worker("child", sys.argv[1], snapshot=False):
            pass
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    print("joined", flush=True)
    input()
"""


def test_a_fork_reports_only_what_it_says_itself(book: Served) -> None:
    """The child even leaves its parent's block: that is no goodbye of the parent."""
    command = [sys.executable, "-W", "error", "-c", FORKED, book.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        book.until(lambda book: "parent" in book.workers and book.workers["parent"].status == "busy")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "joined\n"
        asked = len(book.asked)
        book.until(lambda book: ("heartbeat", "parent") in [each[:2] for each in book.asked[asked:]])
        assert book.workers["parent"].status == "busy"
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(60) == 0
    of_child = [asked.verb for asked in book.asked if asked.worker == "child"]
    assert (of_child[0], of_child[-1]) == ("dequeue", "goodbye")
    of_parent = [str(asked) for asked in book.asked if asked.worker == "parent" and asked.verb != "heartbeat"]
    assert of_parent[of_parent.index("dequeue") :] == ["dequeue", "attempt running", "attempt succeeded", "goodbye"]


def test_its_import_is_light() -> None:
    heavy = {"bcrypt", "uvicorn", "pydantic", "yaml", "jinja2", "prometheus_client", "psutil", "pynvml", "asyncio"}
    program = "import sys, exporter.client; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not heavy & set(found.stdout.split())


def test_a_token_is_sent_and_never_shown(book: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reported = worker(book, token="s3cret")
    with reported:
        book.until(lambda book: book.said)
    assert {head["authorization"] for head in book.heads} == {"Bearer s3cret"}
    assert {head["content-type"] for head in book.heads if "content-type" in head} == {"application/json"}
    assert "s3cret" not in f"{reported!r}{vars(reported)}{caplog.text}"


WRONG = {
    "no URL": ({"registry": "registry:10470"}, "expected an http(s) URL, got 'registry:10470'"),
    "empty id": ({"worker_id": ""}, "expected a worker id of 1 to 256 printable characters"),
    "id with a slash": ({"worker_id": "a/b"}, "without '/' and none of search, heartbeats, got 'a/b'"),
    "id that means something else": ({"worker_id": "search"}, "none of search, heartbeats, got 'search'"),
    "id of dots": ({"worker_id": ".."}, "not only dots"),
    "id with a newline": ({"worker_id": "a\nb"}, "printable characters"),
    "id with a surrogate": ({"worker_id": "a\udc80"}, "printable characters"),
    "long id": ({"worker_id": "x" * 257}, "1 to 256 printable characters"),
    "empty token": ({"token": ""}, "expected a token of printable ASCII without spaces, got another text"),
    "token with a newline": ({"token": "s3cret\n"}, "expected a token of printable ASCII"),
    "token and user": ({"registry": "http://u:p@h", "token": "t"}, "expected a token or a user in the registry's URL"),
    "no interval": ({"interval": 0.0}, "expected an interval of 0.1 s to 86400 s, got 0 s"),
    "an id of another type": ({"worker_id": 5}, "expected a worker id, got int"),
    "a URL of another type": ({"registry": 5}, "expected a registry's URL, got int"),
    "a token of another type": ({"token": 5}, "expected a token of printable ASCII"),
    "an interval of another type": ({"interval": "10"}, "expected an interval in seconds, got str"),
    "no number": ({"interval": float("nan")}, "got nan s"),
}


def test_a_name_that_cannot_be_written_costs_the_caller_nothing() -> None:
    class Odd:
        def __str__(self) -> str:
            raise ZeroDivisionError

    Worker("w").busy(Odd())  # type: ignore[arg-type]


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_used_is_said_at_once(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        Worker(**{"worker_id": "w", **options})  # type: ignore[arg-type]
    assert message in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("registry", "place"),
    [
        ("http://reg", "http://reg:10470"),
        ("https://reg", "https://reg:443"),
        ("http://u:p@reg:1/x/", "http://reg:1/x"),
    ],
)
def test_the_place_of_a_registry(registry: str, place: str) -> None:
    assert repr(Worker("w", registry)) == f"Worker('w', '{place}')"

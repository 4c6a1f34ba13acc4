"""A part of the machine that does not answer: heartbeats go on without it, and say so."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path

from exporter.agent.heartbeat import Reporter, Reporting
from exporter.agent.machine import Processors
from exporter.agent.snapshot import Part, Snapshot
from exporter.agent.wire import Telephone
from exporter.endpoint import parse_url
from tests.real.agents import Agent
from tests.real.process import missing
from tests.unit.book_server import served
from tests.unit.registries import Book

SOURCE = Path(__file__).parent / "wedged.c"


def snapshots(book: Book) -> list[dict[str, object]]:
    return [asked.body["heartbeat_stats"] for asked in book.asked if asked.verb == "heartbeat"]


def test_a_wedged_driver_stops_neither_heartbeats_nor_the_end(tmp_path: Path) -> None:
    """A driver's library whose first call never returns, in the real process with real nvidia-ml-py."""
    compiler = shutil.which("cc") or missing("no C compiler named cc")
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, SOURCE], check=True, timeout=60)
    environ = {"LD_LIBRARY_PATH": str(tmp_path)}
    with served() as book, Agent(tmp_path, book.url, program=["sleep", "600"], environ=environ) as agent:
        book.until(lambda book: book.said.count("heartbeat") > 4)
        for stats in snapshots(book):
            assert stats["absent"] == ["gpu"]
            assert "gpus" not in stats
            assert stats["mem_total_gb"]
        threads = Counter(path.read_text() for path in Path(f"/proc/{agent.process.pid}/task").glob("*/comm"))
        assert sum(threads.values()) <= 4, f"main, reporting, the one that hangs, and one that reads: {threads}"
        agent.send(signal.SIGTERM)
        assert agent.wait() == 143
    assert book.workers == {}


def test_a_file_that_does_not_answer_comes_back(tmp_path: Path) -> None:
    """A named pipe in place of /proc/cpuinfo: whoever opens it for reading waits for a writer."""
    pipe = tmp_path / "cpuinfo"
    os.mkfifo(pipe)
    parts = [Part("cpu", Processors(cpuinfo=pipe).read), Part("memory", lambda: {"mem_pct": 1.0})]
    with served() as book:
        reporting = Reporting(
            worker_id="w",
            place=book.url,
            dial=Telephone(parse_url(book.url, 1)),
            interval=0.1,
            snapshot=Snapshot(parts, {}, patience=0.2).read,
            spread=lambda low, high: 1.0,
        )
        over = threading.Event()
        thread = threading.Thread(target=_report, args=(Reporter(reporting), over))
        thread.start()
        try:
            book.until(lambda book: len(snapshots(book)) > 2)
            assert {tuple(stats["absent"]) for stats in snapshots(book)} == {("cpu",)}  # type: ignore[arg-type]
            pipe.write_text("model name\t: Slow\n")
            book.until(lambda book: snapshots(book)[-1].get("cpu_name") == "Slow")
            assert snapshots(book)[-1]["absent"] == []
        finally:
            over.set()
            thread.join()


def _report(reporter: Reporter, over: threading.Event) -> None:
    while not over.wait(min(reporter.step(), 1.0)):
        pass

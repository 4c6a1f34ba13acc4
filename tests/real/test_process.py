"""The exporter as a process: how it starts, what it says when it cannot, and how it ends."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.hostile import many_workers
from tests.real.process import free_port, missing, wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import Answer, Asked, WebServer, ask

QUICK = 5.0
"""Seconds for what takes less than 2 on a machine with nothing else to do."""


@pytest.fixture
def hung() -> Iterator[WebServer]:
    """A server that takes requests and does not answer them."""
    over = threading.Event()

    def hang(_: Asked) -> Answer:
        over.wait(120)
        return Answer(503, b"")

    with WebServer(hang) as server:
        yield server
        over.set()


def configuration(*urls: str, store: str | None = None, procfs: Path | None = None) -> str:
    """Consoles of one mesh, and a store; this host is measured if there is a procfs."""
    host = {"enabled": False} if procfs is None else {"procfs": str(procfs)}
    tree = {"host": host, "gpu": {"enabled": False}}
    if urls:
        tree["meshes"] = [{"fleet": "mesh", "urls": list(urls), "interval": "500ms", "timeout": "30s"}]  # type: ignore[assignment]
    if store is not None:
        tree["stores"] = [{"fleet": "store", "url": store, "interval": "500ms"}]  # type: ignore[assignment]
    return yaml.safe_dump(tree)


def terminate(rollcall: Rollcall, what: str) -> None:
    """SIGTERM ends it with status 0 and no word of a failure."""
    started = time.monotonic()
    rollcall.send(signal.SIGTERM)
    status = rollcall.wait()
    seconds = time.monotonic() - started
    print(f"SIGTERM {what}: ended after {seconds:.2f} s")
    assert status == 0, rollcall.output()
    assert seconds < QUICK
    assert "Traceback" not in rollcall.output()


def test_sigterm_with_ten_hung_upstreams(hung: WebServer, tmp_path: Path) -> None:
    urls = [f"{hung.url}/{number}" for number in range(10)]
    with Rollcall(tmp_path, configuration(*urls)) as rollcall:
        rollcall.scrape()
        wait_until(lambda: hung.taken == 10, "ten requests that hang")
        terminate(rollcall, "with ten hung upstreams")


def test_sigterm_ends_a_scrape_that_waits_for_this_host(tmp_path: Path) -> None:
    """A procfs of named pipes: whoever opens one for reading waits, and so can be seen to wait."""
    pipes = [tmp_path / name for name in ("loadavg", "meminfo", "stat", "vmstat", "uptime")]
    for pipe in pipes:
        os.mkfifo(pipe)
    outcome: list[object] = []

    def scrape() -> None:
        try:
            outcome.append(rollcall.get().status)
        except (OSError, http.client.HTTPException) as error:
            outcome.append(error)

    with Rollcall(tmp_path, configuration(procfs=tmp_path)) as rollcall, contextlib.ExitStack() as stack:
        assert rollcall.get("/-/healthy").status == 200
        scraper = threading.Thread(target=scrape, daemon=True)
        scraper.start()
        stack.callback(os.close, wait_until(lambda: _opened(pipes), "the scrape to read this host"))
        terminate(rollcall, "with a scrape under way")
        scraper.join(QUICK)
        assert outcome, "expected the scrape to end with the exporter"


def _opened(pipes: list[Path]) -> int | None:
    """Open the writing end of a pipe that somebody is reading."""
    for pipe in pipes:
        with contextlib.suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    return None


def test_sigterm_with_a_client_that_reads_nothing(tmp_path: Path) -> None:
    with WebServer(many_workers(5000)) as large, Rollcall(tmp_path, configuration(store=large.url)) as rollcall:
        wait_until(lambda: len(rollcall.get().body) > 5_000_000, "more than sockets buffer")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect(("127.0.0.1", int(rollcall.url.rpartition(":")[2])))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1) == b"H"
            terminate(rollcall, "with a client that reads nothing")


def test_starts_with_every_upstream_down(hung: WebServer, tmp_path: Path) -> None:
    started = time.monotonic()
    refused = f"http://127.0.0.1:{free_port()}"
    with Rollcall(tmp_path, configuration(refused, hung.url, store=refused)) as rollcall:
        samples = rollcall.scrape()
        seconds = time.monotonic() - started
        print(f"first scrape {seconds:.2f} s after the start, with every upstream down")
        assert seconds < 2 * QUICK
        assert samples.value("rollcall_build_info") is not None
        down = wait_until(lambda: rollcall.until("store", up=False), "the store to be down")
        assert down.value("rollcall_source_reads_total", fleet="store", result="refused") is not None
        assert not list(down.find("rollcall_source_up", source=hung.url.removeprefix("http://")))


def test_without_configuration_a_default_source_is_there_once_it_answers(tmp_path: Path) -> None:
    options = DemoOptions(nodes=3, consoles=1, workers=2, mesh_port=3131, store_port=4747, calm=True)
    try:
        demo = Demo(options)
    except OSError:
        missing("the ports 3131 and 4747 of the default sources are taken")
    with contextlib.ExitStack() as stack:
        stack.callback(demo.stop)
        rollcall = stack.enter_context(Rollcall(tmp_path, None))
        wait_until(lambda: rollcall.get("/-/ready").status == 200, "the default sources to have been tried")
        samples = rollcall.scrape()
        shown = [sample for sample in samples.all if sample.name.startswith(("rollcall_source", "rollcall_node"))]
        assert {dict(sample.labels).get("fleet") for sample in shown} == {"registry"}
        assert [value for _, value in samples.find("rollcall_workers")] == [0.0] * 3
        assert len(list(samples.find("rollcall_workers", fleet="registry"))) == 3
        assert samples.value("rollcall_host_load1") is not None
        demo.start()
        for kind in ("mesh-llm", "agent-lightning"):
            wait_until(lambda: rollcall.scrape().value("rollcall_source_up", fleet="local", kind=kind), kind)  # noqa: B023
        samples = rollcall.scrape()
        assert sum(value for _, value in samples.find("rollcall_workers", fleet="local")) == 2
        assert sum(value for _, value in samples.find("rollcall_nodes", fleet="local")) >= 3
    assert "source is down" not in rollcall.output().partition("source is up")[0]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    command = [sys.executable, "-m", "exporter.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_may_have_as_many_files_as_it_can(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 600), hard))
    try:
        started = Rollcall(tmp_path, configuration())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with started as rollcall:
        assert rollcall.get().status == 200
        assert resource.prlimit(rollcall.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)


WRONG = {
    "unknown key": ("gpu: {enabled: false}\nmeshs: []\n", 2, "meshs"),
    "wrong type": ("limits:\n  series: many\n", 2, "limits.series"),
    "bad URL": ("stores:\n  - fleet: a\n    url: ftp://store\n", 3, "stores[0].url"),
    "flag as key": ("host: {enabled: true}\nshard: 0/2\n", 2, "shard"),
}


@pytest.mark.parametrize("command", ["serve", "check-config"])
@pytest.mark.parametrize(("text", "line", "key"), WRONG.values(), ids=WRONG)
def test_wrong_configuration_ends_with_status_2_and_the_line(
    command: str, text: str, line: int, key: str, tmp_path: Path
) -> None:
    file = tmp_path / "rollcall.yaml"
    file.write_text(text)
    ended = run(command, *(["--config.file"] if command == "serve" else []), str(file))
    assert ended.returncode == 2
    assert f"{file}:{line}" in ended.stderr
    assert key in ended.stderr
    assert "expected" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_check_config_accepts_what_serve_does(tmp_path: Path) -> None:
    file = tmp_path / "rollcall.yaml"
    file.write_text(configuration("http://gamma-01:3131", store="http://trainer:4747"))
    ended = run("check-config", str(file))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{file}: ok\n", "")


def test_port_in_use_ends_with_status_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with Rollcall(tmp_path, configuration(), "--web.listen-address", address) as rollcall:
            assert rollcall.wait() == 1
    assert rollcall.output() == f"rollcall: cannot listen on {address}: Address already in use\n"


def test_unfinished_request_head_is_not_waited_for(tmp_path: Path) -> None:
    """A client that never ends its request head holds up neither others nor the end."""
    with Rollcall(tmp_path, configuration()) as rollcall:
        address = ("127.0.0.1", int(rollcall.url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=30) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
            assert ask(rollcall.url + "/metrics").status == 200
            terminate(rollcall, "with a request head that never ends")

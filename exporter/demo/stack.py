"""`python -m exporter.demo.stack`: a simulated fleet with exporter, Prometheus and Alertmanager, as plain processes.

Prometheus and Alertmanager are those of this machine, with the configuration that is shipped; what they keep, and the
logs of all, are in one folder.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PACKAGES = {"prometheus": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}
"""Debian's packages of the programs that this needs."""

STARTING = 60.0
"""Seconds within which each process must answer."""

ENDING = 10.0
"""Seconds that a process has to end after SIGTERM."""


class Member(NamedTuple):
    """A process: its name, how it is started, where it listens, the path that tells that it is ready, and its page."""

    name: str
    command: Sequence[str]
    address: str
    ready: str
    page: str = "/"


class StackError(Exception):
    """The processes cannot be started, or one of them ended; the text says which and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all until SIGTERM or SIGINT (status 0), or until one of them ends (1)."""
    options = _options(arguments)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        with contextlib.ExitStack() as exits:
            folder = options.folder or Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="rollcall-stack-")))
            _arrange(folder, options.configuration, options.exporter, options.alertmanager)
            members = _members(folder, options.exporter, options.prometheus, options.alertmanager, options.demo)
            with _running(members, folder) as running:
                _await(members, running, folder, over)
                if not over.is_set():
                    _announce(members, folder)
                while not over.wait(0.2):
                    _check(running, folder)
    except StackError as error:
        sys.stderr.write(f"stack: {error}\n")
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m exporter.demo.stack", description=__doc__)
    for name, port in (("exporter", 10470), ("prometheus", 9090), ("alertmanager", 9093)):
        parser.add_argument(
            f"--{name}",
            metavar="HOST:PORT",
            default=f"127.0.0.1:{port}",
            help="where it listens (default: %(default)s)",
        )
    parser.add_argument(
        "--configuration", metavar="DIR", type=Path, default=Path("prometheus"), help="default: %(default)s"
    )
    parser.add_argument("--folder", metavar="DIR", type=Path, help="for data and logs (default: one that is removed)")
    parser.add_argument("demo", nargs="*", help="options of the simulated fleet, after `--`: -- --nodes 20")
    return parser.parse_args(arguments)


def _arrange(folder: Path, configuration: Path, exporter: str, alertmanager: str) -> None:
    """Copy the configuration to the folder, with these addresses."""
    absent = [f"{name} (Debian: apt install {package})" for name, package in PACKAGES.items() if not shutil.which(name)]
    if absent:
        raise StackError(f"expected these programs, got none: {', '.join(absent)}")
    if not (configuration / "prometheus.yml").is_file():
        raise StackError(f"{configuration}: expected a folder with prometheus.yml, got none")
    copy = folder / "prometheus"
    shutil.copytree(configuration, copy, dirs_exist_ok=True)
    for name, address in (("rollcall", exporter), ("alertmanager", alertmanager)):
        (copy / f"targets/{name}.yml").write_text(json.dumps([{"targets": [address]}]) + "\n", "utf-8")


def _members(
    folder: Path, exporter: str, prometheus: str, alertmanager: str, demo: Sequence[str]
) -> tuple[Member, ...]:
    configuration = folder / "prometheus"
    return (
        Member(
            "rollcall",
            [sys.executable, "-m", "exporter.demo", f"--web.listen-address={exporter}", *demo],
            exporter,
            "/-/ready",
        ),
        Member(
            "prometheus",
            [
                "prometheus",
                f"--config.file={configuration / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'prometheus-data'}",
                f"--web.listen-address={prometheus}",
            ],
            prometheus,
            "/-/ready",
            "/alerts",
        ),
        Member(
            "alertmanager",
            [
                "prometheus-alertmanager",
                f"--config.file={configuration / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager-data'}",
                f"--web.listen-address={alertmanager}",
                "--cluster.listen-address=",
            ],
            alertmanager,
            "/-/ready",
        ),
    )


@contextlib.contextmanager
def _running(members: Sequence[Member], folder: Path) -> Iterator[Mapping[str, subprocess.Popen[bytes]]]:
    """Start all; at the end each is told to end, and killed where it does not."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for each in members:
            with (folder / f"{each.name}.log").open("ab") as log:
                # A signal of the terminal goes to this process alone, which tells the others.
                running[each.name] = subprocess.Popen(
                    each.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        yield running
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            try:
                process.wait(ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(
    members: Sequence[Member], running: Mapping[str, subprocess.Popen[bytes]], folder: Path, over: threading.Event
) -> None:
    until = time.monotonic() + STARTING
    for each in members:
        while not _answers(each) and not over.wait(0.2):
            _check(running, folder)
            if time.monotonic() > until:
                raise StackError(f"{each.name}: expected an answer at http://{each.address}{each.ready}, got none")


def _answers(member: Member) -> bool:
    connection = http.client.HTTPConnection(member.address, timeout=2)
    try:
        connection.request("GET", member.ready)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _check(running: Mapping[str, subprocess.Popen[bytes]], folder: Path) -> None:
    for name, process in running.items():
        if process.poll() is not None:
            log = folder / f"{name}.log"
            last = log.read_text("utf-8", "replace").strip().rpartition("\n")[2]
            raise StackError(f"{name}: expected a running process, got exit status {process.returncode}: {last}")


def _announce(members: Sequence[Member], folder: Path) -> None:
    lines = [f"{each.name:<13} http://{each.address}{each.page}" for each in members]
    sys.stdout.write("\n".join([*lines, f"logs          {folder}", "Ctrl-C ends all of them.", ""]))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

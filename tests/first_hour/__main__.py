"""`python -m tests.first_hour`: docs/FIRST_HOUR.md as it stands, in a bare Debian, and how long each block takes."""

from __future__ import annotations

import os
import socket
import sys

import msgspec

from tests.first_hour.debian import ENVIRON, BareDebian, lacking
from tests.first_hour.document import RECORDED, Record, Timed
from tests.first_hour.document import main as write
from tests.first_hour.page import PAGE, ROOT, Block, blocks
from tests.first_hour.stepping import go
from tests.shell import Shell, ShellError

PORTS = (3131, 4747, 9090, 10470)
"""On which the page's programs listen."""


def main() -> int:
    """Run the page and record it; returns the exit status: 1 where something is not as the page says."""
    if absent := lacking():
        sys.stderr.write(
            f"first hour: expected root, and Debian's debootstrap and util-linux; got no {', '.join(absent)}\n"
        )
        return 1
    if taken := [port for port in PORTS if _taken(port)]:
        sys.stderr.write(f"first hour: expected free ports, got programs that listen on {taken}\n")
        return 1
    page = [*blocks(PAGE.read_text("utf-8"))]
    try:
        with BareDebian(ROOT) as debian:
            log = debian.root.parent / "log"
            log.touch()
            with Shell(debian.shell(), log, ENVIRON) as shell:
                ran = [_run(shell, block) for block in page]
            record = _record(debian, ran)
    except (ShellError, OSError) as error:
        sys.stderr.write(f"first hour: {error}\n")
        return 1
    RECORDED.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    return write([])


def _taken(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _run(shell: Shell, block: Block) -> Timed:
    sys.stdout.write(f"=== {block.section}\n{block.commands}")
    sys.stdout.flush()
    seconds = go(shell, block)
    sys.stdout.write(f"--- {seconds:.1f} s\n")
    return Timed(block.section, block.commands, round(seconds, 2), question=bool(block.promised))


def _record(debian: BareDebian, ran: list[Timed]) -> Record:
    return Record(
        debian=(debian.root / "etc/debian_version").read_text("utf-8").strip(),
        python=debian.said("/opt/rollcall/bin/python -c 'import platform; print(platform.python_version())'"),
        prometheus=debian.said("dpkg-query --show --showformat ${source:Upstream-Version} prometheus"),
        cores=os.cpu_count() or 1,
        blocks=ran,
    )


if __name__ == "__main__":
    sys.exit(main())

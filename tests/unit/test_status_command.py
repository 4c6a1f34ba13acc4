"""`rollcall status`: what it prints, in which nothing steers a terminal, how it asks, watches and ends."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from exporter.asking import TABLES as CHOICES
from exporter.endpoint import parse_url
from exporter.explain.terminal import printable
from exporter.overview import FleetRow, NodeRow, Overview, SourceRow, WakeableRow, WorkerRow
from exporter.overview.command import EVERY, Form, Look, Screen, run, sorts
from exporter.overview.rows import TABLES
from exporter.overview.text import overview_text
from exporter.pages.site import STATUS
from exporter.sources.fetch import Resolver
from tests.unit.loopback import Loopback, Script, answer, sends
from tests.unit.test_cli import outcome

NOW = 1_700_000_000.0
SAID = Overview(
    at=NOW,
    version="1.2.3",
    fleets=(
        FleetRow(fleet="eu", nodes={"standby": 0, "serving": 2}, sources=2, sources_down=1),
        FleetRow(fleet="local", workers={"idle": 0, "busy": 0, "unknown": 0}, wakeable={"sleeping": 1}, sources=1),
    ),
    nodes=(
        NodeRow(fleet="eu", node="left", state="gone"),
        NodeRow(
            fleet="eu",
            node="57a1" * 16,
            hostname="gpu-07",
            state="serving",
            standing="unconfirmed",
            disagree=2,
            models=("a", "b", "c"),
            vram_bytes=171.8e9,
            since=NOW - 3661,
        ),
    ),
    workers=(
        WorkerRow(
            fleet="local",
            worker="w-1",
            status="unknown",
            reason="silent",
            inconsistencies=("held_by_unknown",),
            last_heartbeat=NOW - 59,
            rollout="ro-1",
            cpu_usage_ratio=0.066,
            memory_used_bytes=4e9,
            memory_total_bytes=8e9,
            gpu_utilization_ratio=0.914,
            gpu_memory_used_bytes=60e9,
            gpu_memory_total_bytes=80e9,
        ),
    ),
    wakeable=(
        WakeableRow(
            fleet="local", logical_id="rack-1", state="waking", wake_eta_seconds=60.0, wake_duration_seconds=90.0
        ),
        WakeableRow(fleet="local", logical_id="rack-2", vram_bytes=0.0),
    ),
    sources=(
        SourceRow(fleet="eu", source="a:3131", kind="mesh-llm", up=False, result="refused"),
        SourceRow(fleet="eu", source="b:3131", kind="mesh-llm", up=False),
        SourceRow(fleet="local", source="registry", kind="registry", up=True, result="ok", last_success=NOW - 1),
    ),
    of={"nodes": 2, "workers": 700, "wakeable": 2, "sources": 3},
)
TEXT = """\
2023-11-14 22:13:20 UTC, Rollcall 1.2.3

fleet  nodes      workers  wakeable    sources
eu     2 serving                       2, 1 down
local             0        1 sleeping  1

Nodes: 2
node    id            fleet  state    for   standing                 models   vram
left                  eu     gone
gpu-07  57a157a157a1  eu     serving  1h1m  2 disagree, unconfirmed  a, b +1  172 GB

Workers: 1 of 700 are shown
worker  fleet  status   reason  inconsistencies  heartbeat  rollout  cpu  memory  gpu   gpu memory
w-1     local  unknown  silent  held_by_unknown  59s        ro-1     7 %  50 %    91 %  75 %

Wakeable capacity: 2
logical id  fleet  state            vram    promised  wake took
rack-1      local  waking, overdue          1m        1m30s
rack-2      local  not understood   0.0 GB

Sources: 3
source    fleet  kind      result         last success
a:3131    eu     mesh-llm  refused, down
b:3131    eu     mesh-llm  not read yet
registry  local  registry  ok             1.0s"""


def test_the_whole_text() -> None:
    assert overview_text(SAID) == TEXT


def test_a_table_alone_and_nothing_at_all() -> None:
    assert overview_text(SAID, ["sources"]).split("\n\n")[2] == TEXT.split("\n\n")[5]
    assert len(overview_text(SAID, ["sources"]).split("\n\n")) == 3
    nothing = overview_text(Overview(at=NOW, version="1"))
    assert nothing.split("\n\n")[1:] == ["no source has answered yet", "nothing is there, or nothing fits"]


def test_colours_mark_what_is_not_well_and_change_no_column() -> None:
    coloured = overview_text(SAID, coloured=True)
    for code, text in (("31", "unknown"), ("31", "waking, overdue"), ("31", "refused, down"), ("32", "ok")):
        assert f"\x1b[{code}m{text}\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == TEXT


def test_nothing_that_an_upstream_says_steers_a_terminal() -> None:
    hostile = "\x1b[2J\x9b31m\u202ex\r\n" + "y" * 1000

    def poisoned(row: Any) -> Any:
        said = msgspec.structs.asdict(row)
        texts = {name: hostile for name, value in said.items() if isinstance(value, str)}
        lists = {name: (hostile,) * 3 for name, value in said.items() if isinstance(value, tuple)}
        counts = {name: {hostile: 3} for name, value in said.items() if isinstance(value, dict)}
        return msgspec.structs.replace(row, **texts, **lists, **counts)

    tables = {name: tuple(map(poisoned, getattr(SAID, name))) for name in ("fleets", *TABLES)}
    text = overview_text(msgspec.structs.replace(SAID, version=hostile, **tables))
    assert printable(text.replace("\n", "")) == text.replace("\n", "")
    assert len(text.splitlines()) == len(TEXT.splitlines())


LOOK, FORM = Look(), Form()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def asked(
    *scripts: Script,
    look: Look = LOOK,
    form: Form = FORM,
    out: io.StringIO | None = None,
    looks: int = 1,
    height: int = 24,
    environ: Mapping[str, str] = {},
) -> tuple[int, str, str, list[str]]:
    """Ask a server whose connections go as the scripts say: status, output, errors, and what was asked for."""
    out, err, left = out or io.StringIO(), io.StringIO(), [looks]

    def pause(seconds: float) -> None:
        assert seconds == EVERY
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    with Loopback(*scripts) as server:
        endpoint = parse_url(f"http://127.0.0.1:{server.port}", 80)
        status = run(look, form, endpoint, Resolver(), Screen(out, err, environ, lambda: height, pause))
        return status, out.getvalue(), err.getvalue(), [head.split(" ")[1] for head in server.heads]


ANSWERED = sends(answer(msgspec.json.encode(SAID)))


def test_it_prints_the_answer_and_ends_well() -> None:
    assert asked(ANSWERED) == (0, TEXT + "\n", "", [STATUS])


def test_it_asks_for_what_is_wanted() -> None:
    look = Look("e&u", "gpü 7", "unknown", sorts("since", falling=True), 5)
    (path,) = asked(ANSWERED, look=look)[3]
    assert urlsplit(path).path == STATUS
    sort = {f"sort_{name}": ["-since"] for name in ("nodes", "workers", "wakeable")}
    assert parse_qs(urlsplit(path).query) == {
        "fleet": ["e&u"],
        "q": ["gpü 7"],
        "state": ["unknown"],
        "limit": ["5"],
        **sort,
    }


def test_json_is_the_answer_itself_in_ascii() -> None:
    said = msgspec.json.encode(msgspec.structs.replace(SAID, version="\x9b\u202e"))
    status, out, _, _ = asked(sends(answer(said)), form=Form(as_json=True))
    assert (status, json.loads(out), out.isascii()) == (0, json.loads(said), True)


@pytest.mark.parametrize(
    ("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)], ids=str
)
def test_colours_are_for_terminals(environ: dict[str, str], coloured: bool) -> None:
    out = asked(ANSWERED, out=Terminal(), environ=environ)[1]
    assert ("\x1b" in out) == coloured


NONE = "expected what is known now, got something else with status"
CANNOT = r"cannot ask http://127\.0\.0\.1:\d+: "
REFUSED = {
    "a question that is none": (
        answer(b'{"error": "limit: expected \x1b 1"}'.replace(b"\x1b", b"\\u001b"), status="400 Bad Request"),
        "limit: expected \ufffd 1",
    ),
    "asked by too many": (
        answer(b'{"error": "ask again in a moment"}', status="503 Service Unavailable"),
        "ask again in a moment",
    ),
    "no exporter": (answer(b"<html>"), f"{CANNOT}{NONE} 200"),
    "something else": (answer(b"{}"), f"{CANNOT}{NONE} 200"),
    "deep": (answer(b"[" * 100_000), f"{CANNOT}{NONE} 200"),
    "no error": (answer(b"[]", status="400 Bad Request"), f"{CANNOT}{NONE} 400"),
    "another status": (answer(status="401 Unauthorized"), f"{CANNOT}GET {STATUS}: expected status 200, got 401"),
    "closed": (b"", f"{CANNOT}GET {STATUS}: expected an answer, got a closed connection"),
}


@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=REFUSED)
def test_without_an_answer_it_ends_with_1_and_one_line(data: bytes, why: str) -> None:
    status, out, err, _ = asked(sends(data))
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert re.fullmatch(f"rollcall: {why}\n", err)


def test_a_fleet_that_nobody_reads_is_said() -> None:
    nothing = sends(answer(msgspec.json.encode(Overview(at=NOW, version="1"))))
    assert asked(nothing, look=Look(fleet="\x1b"))[:3] == (
        1,
        "",
        "rollcall: expected a fleet that is read, got '\\x1b'\n",
    )


def test_who_watches_sees_each_answer_and_what_goes_wrong_between_them() -> None:
    good, bad = answer(msgspec.json.encode(SAID)), answer(b'{"error": "why"}', status="400 Bad Request")
    scripts = [sends(good), sends(bad), sends(good)]
    form = Form(only=["wakeable"], watch=True)
    status, out, err, paths = asked(*scripts, form=form, looks=3)
    text = overview_text(SAID, ["wakeable"])
    assert (status, out, err) == (0, f"{text}\n\nrollcall: why\n\n{text}\n\n", "")
    assert paths == [STATUS] * 3


@pytest.mark.parametrize("height", [24, 5, 1])
def test_a_terminal_is_filled_and_never_scrolled(height: int) -> None:
    out = asked(ANSWERED, form=Form(watch=True), out=Terminal(), height=height, environ={"NO_COLOR": "1"})[1]
    assert out.startswith("\x1b[?7l\x1b[H")
    assert out.endswith("\x1b[J\x1b[?7h")
    lines = out.removeprefix("\x1b[?7l\x1b[H").removesuffix("\x1b[J\x1b[?7h").split("\x1b[K\n")
    assert (lines.pop(), len(lines)) == ("", max(1, height - 1))
    rest = len(TEXT.splitlines()) - len(lines) + 1
    assert lines == [*TEXT.splitlines()[: len(lines) - 1], f"… {rest} more lines"]


def test_a_field_sorts_the_tables_that_have_it() -> None:
    assert sorts("provider") == {"wakeable": "provider"}
    assert sorts("fleet", falling=True) == dict.fromkeys(TABLES, "-fleet")
    with pytest.raises(ValueError, match=r"^expected one of attempt, .*, got 'nothing'$"):
        sorts("nothing")


WRONG = {
    "--url: expected an http(s) URL, got 'gpu:1'": ["--url", "gpu:1"],
    "--sort: expected one of attempt,": ["--sort", "colour"],
    "--reverse: expected --sort beside it, got none": ["--reverse"],
    "--limit: expected a whole number from 1 to 100000, got '0'": ["--limit", "0"],
    "--only: invalid choice: 'fleets'": ["--only", "fleets"],
    "unrecognized arguments: --watc": ["--watc"],
}


@pytest.mark.parametrize(("message", "arguments"), WRONG.items())
def test_wrong_usage_ends_with_2(message: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("status", *arguments) == 2
    assert message in capsys.readouterr().err


def test_the_command_line_asks(capsys: pytest.CaptureFixture[str]) -> None:
    with Loopback(ANSWERED) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert outcome("status", "--url", url, "--only", "nodes", "--sort", "vram_bytes", "--reverse") == 0
    assert capsys.readouterr().out == overview_text(SAID, ["nodes"]) + "\n"
    assert "sort_nodes=-vram_bytes" in server.heads[0]
    assert "limit=100" in server.heads[0]


def test_what_can_be_chosen_are_the_tables() -> None:
    assert tuple(TABLES) == CHOICES

"""`rollcall explain node`: what it prints, in which nothing steers a terminal, and how it ends."""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
import pytest

from exporter.endpoint import parse_url
from exporter.explain.command import Question, run
from exporter.explain.terminal import LONGEST, printable, span
from exporter.explain.text import explanation, unexplained
from exporter.records.evidence import Flags, NodeEvidence, NodeName, ObservedView, Unexplained
from exporter.records.transition import Transition
from exporter.sources.fetch import Resolver
from tests.unit.loopback import Loopback, Script, answer, sends
from tests.unit.test_cli import outcome

OWN: dict[str, Any] = {
    "observer": "57a1",
    "observer_hostname": "gpu-07",
    "source": "gpu-07:3131",
    "own": True,
    "chosen": True,
    "fresh": True,
    "age_seconds": 1.25,
    "hostname": "gpu-07",
    "role": "Host",
    "version": "0.66.0",
    "word": "standby",
    "flags": Flags(False, True, False, False, False, True, False),
    "state": "loading",
    "reason": "assigned_not_ready",
    "rule": "models are assigned",
    "drift": False,
    "latency": None,
    "rtt_seconds": None,
    "dissent": None,
}
PEER: dict[str, Any] = {
    **OWN,
    "observer": "6898",
    "observer_hostname": None,
    "source": "gpu-01:3131",
    "own": False,
    "chosen": False,
    "age_seconds": 75.0,
    "word": None,
    "flags": Flags(None, None, None, None, None, True, True),
    "state": "serving",
    "reason": "has_models",
    "latency": "direct",
    "rtt_seconds": 0.0021,
    "dissent": "real",
}
NODE: dict[str, Any] = {
    "fleet": "eu",
    "node": "57a1",
    "at": 1_700_007_530.0,
    "judged_seconds_ago": 0.5,
    "hostname": "gpu-07",
    "role": "Host",
    "version": "0.66.0",
    "state": "loading",
    "reason": "assigned_not_ready",
    "rule": "models are assigned",
    "reported": "standby",
    "basis": "self",
    "basis_because": "its own report",
    "standing": "unconfirmed",
    "standing_because": "because",
    "present": True,
    "since": 1_700_000_000.0,
    "console": "gpu-07:3131",
    "console_silent": False,
    "views_by_state": {"client": 0, "standby": 0, "loading": 1, "serving": 1},
    "disagree_real": 1,
    "views": (ObservedView(**OWN), ObservedView(**PEER)),
}
TEXT = """\
57a1 (gpu-07) of fleet eu: loading, unconfirmed

state      loading since 2023-11-14 22:13:20 UTC, for 2h5m
rule       models are assigned (assigned_not_ready)
reported   standby, which the state overrides
basis      self: its own report
standing   unconfirmed: because
present    yes
console    gpu-07:3131, which answers
role       Host
version    0.66.0
views      1 loading, 1 serving, 1 disagree (real)
judged     0.5s ago

   observer  source       age    word     flags                                    state    reason              latency        dissent
*  itself    gpu-07:3131  1.2s   standby  is_host, serving_models, not llama_ready  loading  assigned_not_ready
   6898      gpu-01:3131  1m15s  no word  role Host, serving_models, hosted_models  serving  has_models          2.1 ms direct  real

* the view that stands; a stale one does not count"""  # noqa: E501


def test_the_whole_text() -> None:
    got = explanation(NodeEvidence(**NODE)).splitlines()
    assert [" ".join(line.split()) for line in got] == [" ".join(line.split()) for line in TEXT.splitlines()]
    head, *rows = [line for line in got if "gpu-0" in line[8:] or line.startswith("   observer")][-3:]
    for heading in ("source", "age", "word", "flags", "state", "reason"):
        assert all(row[head.index(heading) - 2 : head.index(heading)].strip() == "" for row in rows)
        assert all(row[head.index(heading)] != " " for row in rows)


GONE = {"fleet": "eu", "node": "57a1", "at": 0.0, "judged_seconds_ago": 0.0}

CHANGED = {"transitions_since": 1.0, "transitions": (Transition(5.0, "serving", None),)}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({**GONE, "present": False}, "57a1 of fleet eu: gone"),
        ({**GONE, "present": False}, "why      no fresh view lists it, and it was there until a moment ago"),
        (GONE, "57a1 of fleet eu: stale"),
        (GONE, "why      no fresh view lists it"),
        (GONE, "present  not said: no memory of it"),
        ({**NODE, "since": 1e300}, "state     loading"),
        ({**NODE, "since": None}, "state     loading"),
        ({**NODE, "console_silent": True}, "console   gpu-07:3131, which does not answer for it now"),
        ({**NODE, "unmeasured_seconds": 130.0}, "latency   known to nobody for 2m10s"),
        ({**NODE, "views": (ObservedView(**{**OWN, "fresh": False, "age_seconds": None}),)}, "stale"),
        ({**NODE, "views": (ObservedView(**{**OWN, "drift": True}),)}, "assigned_not_ready (drift)"),
        ({**GONE, "transitions_since": 0.0}, "changes of state known since 1970-01-01 00:00:00 UTC, for 0.0s:\nnone"),
        ({**GONE, **CHANGED}, "at                       from     to\n1970-01-01 00:00:05 UTC  serving  not there"),
    ],
)
def test_a_line_of_the_text(said: dict[str, Any], line: str) -> None:
    assert line in explanation(NodeEvidence(**said))


def test_nothing_that_an_upstream_says_steers_a_terminal() -> None:
    hostile = "\x1b[2J\x9b31m\u202egpu\r\n" + "x" * 1000
    view = ObservedView(**{**PEER, "observer_hostname": hostile, "source": hostile, "word": hostile, "role": hostile})
    names = {name: hostile for name, said in NODE.items() if isinstance(said, str)}
    text = explanation(NodeEvidence(**{**NODE, **names, "views": (view,)}))
    assert printable(text.replace("\n", "")) == text.replace("\n", "")
    assert len(text.splitlines()) == len(explanation(NodeEvidence(**{**NODE, "views": (view,)})).splitlines())
    assert "x" * LONGEST not in text.splitlines()[0]
    line = unexplained(Unexplained(error=hostile, candidates=(NodeName(hostile, hostile, hostile),)))
    assert printable(line) == line


def test_colours_mark_what_is_not_well_and_change_no_column() -> None:
    said = NodeEvidence(**NODE)
    coloured = explanation(said, coloured=True)
    assert "\x1b[33mloading\x1b[0m, \x1b[33munconfirmed\x1b[0m" in coloured
    assert "\x1b[31mreal\x1b[0m" in coloured
    plain = coloured
    for code in ("31", "32", "33", "0"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == explanation(said)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (9.96, "10.0s"), (59.9, "59s"), (60, "1m"), (3661, "1h1m"), (90061, "1d1h"), (3601, "1h1s")],
)
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def asked(
    script: Script, question: Question, out: io.StringIO | None = None, **environ: str
) -> tuple[int, str, str, str]:
    """Ask a server that answers as the script says: status, output, errors, and the request's first line."""
    out, err = out or io.StringIO(), io.StringIO()
    with Loopback(script) as server:
        endpoint = parse_url(f"http://127.0.0.1:{server.port}", 80)
        status = run(question, endpoint, Resolver(), out, err, environ)
        return status, out.getvalue(), err.getvalue(), server.heads[0].partition("\r\n")[0]


EXPLAINED = sends(answer(msgspec.json.encode(NodeEvidence(**NODE))))


def test_it_asks_for_exactly_that_node_and_prints_text() -> None:
    status, out, err, request = asked(EXPLAINED, Question("a/b?c#%20 é", "e&u"))
    assert request == "GET /api/v1/nodes/a%2Fb%3Fc%23%2520%20%C3%A9?fleet=e%26u HTTP/1.1"
    assert (status, out, err) == (0, explanation(NodeEvidence(**NODE)) + "\n", "")


@pytest.mark.parametrize(
    ("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)], ids=str
)
def test_colours_are_for_terminals(environ: dict[str, str], coloured: bool) -> None:
    _, out, _, _ = asked(EXPLAINED, Question("n"), Terminal(), **environ)
    assert ("\x1b" in out) == coloured


def test_json_is_the_answer_itself_in_ascii() -> None:
    said = msgspec.json.encode(NodeEvidence(**{**NODE, "hostname": "\x9bgpu\u202e"}))
    status, out, _, _ = asked(sends(answer(said)), Question("n", as_json=True))
    assert (status, json.loads(out), out.isascii()) == (0, json.loads(said), True)


ME, OTHER = NodeName("eu", "57a1", "gpu-07"), NodeName("us", "6898", None)


@pytest.mark.parametrize(
    ("status", "said", "line"),
    [
        ("404 Not Found", Unexplained(error="none has it"), "none has it"),
        ("404 Not Found", Unexplained(error="none", near=(ME,)), "none; much like it: 57a1 (gpu-07, fleet eu)"),
        (
            "409 Conflict",
            Unexplained(error="two have it", candidates=(ME, OTHER)),
            "two have it; give an id, or a fleet: 57a1 (gpu-07, fleet eu), 6898 (host name not said, fleet us)",
        ),
    ],
    ids=["unknown", "near", "ambiguous"],
)
def test_without_an_explanation_it_ends_with_1_and_one_line(status: str, said: Unexplained, line: str) -> None:
    body = msgspec.json.encode(said)
    assert asked(sends(answer(body, status=status)), Question("n"))[:3] == (1, "", f"rollcall: {line}\n")
    code, out, err, _ = asked(sends(answer(body, status=status)), Question("n", as_json=True))
    assert (code, json.loads(out), err) == (1, json.loads(body), f"rollcall: {line}\n")


NONE = "expected an explanation, or why there is none, got something else with status"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            answer(b"<html>", status="404 Not Found"),
            f"{NONE} 404",
        ),
        (answer(b"{}"), f"{NONE} 200"),
        (answer(b"[" * 100_000), f"{NONE} 200"),
        (answer(status="503 Service Unavailable"), f"{NONE} 503"),
        (answer(b"", "Location: /\x1b[2J", status="302 Found"), "expected status 200, got 302 to '/\\x1b[2J'"),
        (b"", "GET /api/v1/nodes/n: expected an answer, got a closed connection"),
    ],
    ids=["not JSON", "no explanation", "deep", "status", "redirect", "closed"],
)
def test_who_is_no_exporter_is_one_line(data: bytes, why: str) -> None:
    status, out, err, _ = asked(sends(data), Question("n"))
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert err.startswith("rollcall: cannot ask http://127.0.0.1:")
    assert why in err


def test_an_output_without_the_letters_still_gets_the_text() -> None:
    class Ascii(io.StringIO):
        encoding = "ascii"

    said = sends(answer(msgspec.json.encode(NodeEvidence(**{**NODE, "hostname": "gpü"}))))
    assert "57a1 (gp?) of fleet eu" in asked(said, Question("n"), Ascii())[1]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["explain"], 2, "the following arguments are required: WHAT"),
        (["explain", "model", "m"], 2, "invalid choice: 'model'"),
        (["explain", "node"], 2, "the following arguments are required: NODE"),
        (["explain", "node", "n", "--url", "ftp://x"], 2, "--url: expected an http(s) URL, got 'ftp://x'"),
        (["explain", "node", "n", "--url", "http://u:secret@127.0.0.1:1"], 1, "cannot ask http://127.0.0.1:1: "),
    ],
    ids=["nothing", "a model", "no node", "not a URL", "nobody there"],
)
def test_the_command_line(arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(*arguments) == status
    err = capsys.readouterr().err
    assert message in err
    assert "secret" not in err

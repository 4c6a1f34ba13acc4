"""The explanation of a worker as aligned text, in which nothing that an upstream said can steer a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.explain.terminal import (
    CHANGED,
    PLAIN,
    Paint,
    change_rows,
    changes,
    facts,
    moment,
    printable,
    short,
    since,
    span,
    table,
)
from exporter.records.worker_evidence import InconsistencyEvidence, Sign, UnknownWorker, WorkerEvidence, WorkerName

COLOURS = {
    "busy": "32",
    "idle": "32",
    "unknown": "31",
    "gone": "31",
    "forgotten": "31",
    "stale": "33",
    "unlisted": "33",
}
"""What is coloured, and how (SGR parameters of ECMA-48)."""

HEADINGS = ("", "evidence", "at", "age", "")

TRANSITIONS = CHANGED

NAMES = {
    "heartbeat": "heartbeat",
    "dequeue": "dequeue",
    "busy": "busy",
    "attempt_heartbeat": "attempt heartbeat",
    "idle": "idle",
}
"""What each sign is called."""


def worker_explanation(said: WorkerEvidence, coloured: bool = False) -> str:
    """Everything about one worker, for a person to read; without a newline at the end."""
    paint = Paint(COLOURS) if coloured else PLAIN
    called = short(said.worker) if said.host is None else f"{short(said.worker)} ({short(said.host)})"
    lines = [f"{called} of fleet {short(said.fleet)}: {paint(short(said.status or absence(said)))}", ""]
    lines += facts(worker_facts(said))
    if said.signs:
        lines += ["", *table([HEADINGS, *sign_rows(said)], PLAIN)]
        lines += ["", "* the newest evidence of life; ages are those at the read, on the store's clock"]
    lines += changes("status", said.transitions_since, said.at, said.transitions)
    return "\n".join(line.rstrip() for line in lines)


def sign_rows(said: WorkerEvidence) -> list[list[str]]:
    """The cells of each sign of life, under `HEADINGS`."""
    return [_row(sign) for sign in said.signs]


def transition_rows(said: WorkerEvidence) -> list[list[str]]:
    """The cells of each change of status, under `TRANSITIONS`."""
    return change_rows(said.transitions)


def unknown_worker(said: UnknownWorker) -> str:
    """Why there is no explanation, in one line, with those who may be meant."""
    names = said.candidates or said.near
    if not names:
        return printable(said.error)
    offer = "give a fleet" if said.candidates else "much like it"
    return printable(f"{said.error}; {offer}: {', '.join(map(_name, names))}")


def _name(name: WorkerName) -> str:
    return f"{short(name.worker)} ({short(name.host or 'host not said')}, fleet {short(name.fleet)})"


def absence(said: WorkerEvidence) -> str:
    """What stands in the place of a status where there is none."""
    if said.forgotten:
        return "forgotten"
    if said.present is False:
        return "gone"
    return "unlisted" if said.fresh else "stale"


def worker_facts(said: WorkerEvidence) -> Iterator[tuple[str, str]]:
    """What is known of a worker, each with its name; empty text where it is not said."""
    if said.status is None:
        yield "why", _why(said)
    else:
        yield "status", said.status + since(said.since, said.at)
        yield "rule", f"{said.rule} ({said.reason})"
        yield "reported", "" if said.reported is None else f"{said.reported}, which the status overrides"
    if said.word is not None:
        yield "silence", _silence(said)
        yield "store says", _claim(said)
        yield "telemetry", _telemetry(said)
        yield "clock skew", _clock(said.clock_skew_seconds)
        yield "os", short(said.os or "")
    for each in said.inconsistencies:
        yield "inconsistency", _inconsistency(each)
    yield "present", "not said: no memory of it" if said.present is None else "yes" if said.present else "no"
    if said.source is not None:
        ago = "" if said.read_seconds_ago is None else f", read {short(span(said.read_seconds_ago))} ago"
        yield "source", f"{short(said.source)}{ago}"


def _why(said: WorkerEvidence) -> str:
    if said.forgotten:
        return f"{said.rule} ({said.reason}), and for so long that it is dropped"
    if not said.fresh:
        return "its store has not been read lately: what it said last is no status"
    left = ", and it was there until a moment ago" if said.present is False else ""
    return f"its store does not list it{left}"


def _silence(said: WorkerEvidence) -> str:
    limit = (
        ""
        if said.heartbeat_timeout_seconds is None
        else f"; the heartbeat timeout is {short(span(said.heartbeat_timeout_seconds))}"
    )
    if said.silence_seconds is None:
        return f"no evidence of life at all{limit}"
    outage = f", of which {short(span(said.outage_seconds))} do not count: nobody heard" if said.outage_seconds else ""
    return f"{short(span(said.silence_seconds))}{outage}{limit}"


def _claim(said: WorkerEvidence) -> str:
    held = "" if said.rollout is None else f", rollout {short(said.rollout)}"
    held += "" if said.attempt is None else f", attempt {short(said.attempt)}"
    status = "" if said.attempt_status is None else f" ({short(said.attempt_status)})"
    return f"{short(said.word or '')}{held or ', no assignment'}{status}"


def _telemetry(said: WorkerEvidence) -> str:
    words = {None: "it never sent a heartbeat", False: "fresh", True: "stale: its heartbeats stopped"}
    return words[said.telemetry_stale]


def _inconsistency(each: InconsistencyEvidence) -> str:
    shown = ", ".join(short(text) for text in (each.rollout, each.attempt) if text is not None)
    return f"{each.kind}: {each.meaning}{f' ({shown})' if shown else ''}"


def _clock(skew: float | None) -> str:
    if skew is None:
        return ""
    return f"{short(span(abs(skew)))} {'behind' if skew < 0 else 'ahead of'} its store's"


def _row(sign: Sign) -> list[str]:
    at = "never" if sign.at is None else moment(sign.at) or "?"
    age = "" if sign.age_seconds is None else short(span(sign.age_seconds))
    return [
        "*" if sign.newest else "",
        NAMES.get(sign.what, short(sign.what)),
        at,
        age,
        "" if sign.counts else "does not count",
    ]

"""An explanation as aligned text, in which nothing that an upstream said can steer a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.explain.terminal import (
    CHANGED,
    PLAIN,
    Paint,
    change_rows,
    changes,
    facts,
    printable,
    short,
    since,
    span,
    table,
)
from exporter.records.evidence import Flags, NodeEvidence, NodeName, ObservedView, Unexplained

COLOURS = {
    "serving": "32",
    "loading": "33",
    "unconfirmed": "33",
    "ghost": "31",
    "real": "31",
    "stale": "33",
    "gone": "31",
}
"""What is coloured, and how (SGR parameters of ECMA-48)."""

HEADINGS = ("", "observer", "source", "age", "word", "flags", "state", "reason", "latency", "dissent")

TRANSITIONS = CHANGED


def explanation(said: NodeEvidence, coloured: bool = False) -> str:
    """Everything about one node, for a person to read; without a newline at the end."""
    paint = Paint(COLOURS) if coloured else PLAIN
    called = short(said.node) if said.hostname is None else f"{short(said.node)} ({short(said.hostname)})"
    words = [said.state, said.standing or ""] if said.state else [absence(said)]
    states = [paint(short(word)) for word in words]
    lines = [f"{called} of fleet {short(said.fleet)}: {', '.join(states)}", ""]
    lines += facts(node_facts(said))
    if said.views:
        lines += ["", *table([list(HEADINGS), *view_rows(said)], paint)]
        lines += ["", "* the view that stands; a stale one does not count"]
    lines += changes("state", said.transitions_since, said.at, said.transitions)
    return "\n".join(line.rstrip() for line in lines)


def view_rows(said: NodeEvidence) -> list[list[str]]:
    """The cells of each view of a node, under `HEADINGS`."""
    return [[_mark(view), *map(printable, _cells(view))] for view in said.views]


def transition_rows(said: NodeEvidence) -> list[list[str]]:
    """The cells of each change of state, under `TRANSITIONS`."""
    return change_rows(said.transitions)


def unexplained(said: Unexplained) -> str:
    """Why there is no explanation, in one line, with those who may be meant."""
    names = said.candidates or said.near
    if not names:
        return printable(said.error)
    offer = "give an id, or a fleet" if said.candidates else "much like it"
    return printable(f"{said.error}; {offer}: {', '.join(map(_name, names))}")


def _name(name: NodeName) -> str:
    return f"{short(name.node)} ({short(name.hostname or 'host name not said')}, fleet {short(name.fleet)})"


def absence(said: NodeEvidence) -> str:
    """What stands in the place of a state where there is none."""
    return "gone" if said.present is False else "stale"


def node_facts(said: NodeEvidence) -> Iterator[tuple[str, str]]:
    """What is known of a node, each with its name; empty text where it is not said."""
    if said.state is None:
        told = said.present is False
        yield "why", "no fresh view lists it, and it was there until a moment ago" if told else "no fresh view lists it"
    else:
        yield "state", said.state + since(said.since, said.at)
        yield "rule", f"{said.rule} ({said.reason})"
        yield "reported", "" if said.reported is None else f"{said.reported}, which the state overrides"
        yield "basis", f"{said.basis}: {said.basis_because}"
        yield "standing", f"{said.standing}: {said.standing_because}"
        yield (
            "latency",
            "" if said.unmeasured_seconds is None else f"known to nobody for {span(said.unmeasured_seconds)}",
        )
    yield "present", "not said: no memory of it" if said.present is None else "yes" if said.present else "no"
    if said.console is not None:
        answers = {True: ", which does not answer for it now", False: ", which answers", None: ""}
        yield "console", short(said.console) + answers[said.console_silent]
    yield "role", short(said.role or "")
    yield "version", short(said.version or "")
    counts = [f"{count} {state}" for state, count in said.views_by_state.items() if count]
    disagree = [("expected", said.disagree_expected), ("real", said.disagree_real)]
    counts += [f"{count} disagree ({kind})" for kind, count in disagree if count]
    yield "views", ", ".join(counts)
    yield "judged", f"{span(said.judged_seconds_ago)} ago"


def _mark(view: ObservedView) -> str:
    return "*" if view.chosen else ""


def _cells(view: ObservedView) -> list[str]:
    age = "" if view.age_seconds is None else span(view.age_seconds)
    return [
        "itself" if view.own else short(view.observer_hostname or view.observer),
        short(view.source),
        age if view.fresh else f"{age} stale".strip(),
        short(view.word) if view.word is not None else "no word",
        _flags(view),
        view.state,
        view.reason + (" (drift)" if view.drift else ""),
        _latency(view),
        view.dissent or "",
    ]


def _flags(view: ObservedView) -> str:
    """The flags that are set, and `llama_ready` where it is said; of a peer its role, from which its rule goes."""
    flags: Flags = view.flags
    words = [name for name in flags.__struct_fields__ if name != "llama_ready" and getattr(flags, name)]
    if flags.llama_ready is not None:
        words.append("llama_ready" if flags.llama_ready else "not llama_ready")
    if not view.own and view.role is not None:
        words.insert(0, f"role {short(view.role)}")
    return ", ".join(words)


def _latency(view: ObservedView) -> str:
    measured = "" if view.rtt_seconds is None else f"{view.rtt_seconds * 1000:.1f} ms "
    return measured + (view.latency or "")

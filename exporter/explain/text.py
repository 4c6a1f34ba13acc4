"""An explanation as aligned text, in which nothing that an upstream said can steer a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

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

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
"""Units of a span of time, in seconds."""

LONGEST = 64
"""Characters of one thing that an upstream said, at most."""

HEADINGS = ("", "observer", "source", "age", "says", "flags", "shows", "by", "latency", "differs")


def explanation(said: NodeEvidence, coloured: bool = False) -> str:
    """Everything about one node, for a person to read; without a newline at the end."""
    paint = _paint if coloured else _plain
    called = short(said.node) if said.hostname is None else f"{short(said.node)} ({short(said.hostname)})"
    words = [said.state, said.standing or ""] if said.state else [_absence(said)]
    states = [paint(short(word)) for word in words]
    lines = [f"{called} of fleet {short(said.fleet)}: {', '.join(states)}", ""]
    facts = [(name, text) for name, text in _facts(said) if text]
    width = max(len(name) for name, _ in facts)
    lines += [f"{name:<{width}}  {printable(text)}" for name, text in facts]
    if said.views:
        rows = [[_mark(view), *map(printable, _cells(view))] for view in said.views]
        lines += ["", *_table([list(HEADINGS), *rows], paint)]
        lines += ["", "* the view that stands; a stale one does not count"]
    return "\n".join(line.rstrip() for line in lines)


def unexplained(said: Unexplained) -> str:
    """Why there is no explanation, in one line, with those who may be meant."""
    names = said.candidates or said.near
    if not names:
        return printable(said.error)
    offer = "give an id, or a fleet" if said.candidates else "much like it"
    return printable(f"{said.error}; {offer}: {', '.join(map(_name, names))}")


def printable(text: str) -> str:
    """Text without control characters, surrogates, and signs that change the direction of others."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def short(text: str) -> str:
    """Printable text of at most `LONGEST` characters."""
    return printable(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def span(seconds: float) -> str:
    """A length of time by its two largest units."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    rest, parts = int(seconds), []
    for unit, size in UNITS:
        if rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return "".join(parts[:2])


def _name(name: NodeName) -> str:
    return f"{short(name.node)} ({short(name.hostname or 'host name not said')}, fleet {short(name.fleet)})"


def _absence(said: NodeEvidence) -> str:
    return "gone" if said.present is False else "stale"


def _facts(said: NodeEvidence) -> Iterator[tuple[str, str]]:
    if said.state is None:
        told = said.present is False
        yield "why", "no fresh view lists it, and it was there until a moment ago" if told else "no fresh view lists it"
    else:
        yield "state", said.state + _since(said)
        yield "rule", f"{said.rule} ({said.reason})"
        yield "overrides", "" if said.reported is None else f"the word {said.reported}"
        yield "basis", f"{said.basis}: {said.basis_because}"
        yield "standing", f"{said.standing}: {said.standing_because}"
        yield "no latency", "" if said.unmeasured_seconds is None else f"known for {span(said.unmeasured_seconds)}"
    yield "present", "not said: no memory of it" if said.present is None else "yes" if said.present else "no"
    if said.console is not None:
        answers = {True: ", which does not answer for it now", False: ", which answers", None: ""}
        yield "console", short(said.console) + answers[said.console_silent]
    yield "role", short(" ".join(filter(None, [said.role, said.version])))
    counts = [f"{count} {state}" for state, count in said.views_by_state.items() if count]
    differ = [(said.disagree_expected, "as expected"), (said.disagree_real, "really")]
    counts += [f"differing {how}: {count}" for count, how in differ if count]
    yield "views", ", ".join(counts)
    yield "judged", f"{span(said.judged_seconds_ago)} ago"


def _since(said: NodeEvidence) -> str:
    """Since when; a time that no calendar has is left out."""
    if said.since is None:
        return ""
    try:
        moment = datetime.fromtimestamp(said.since, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return f" since {moment:%Y-%m-%d %H:%M:%S} UTC, for {span(max(0.0, said.at - said.since))}"


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
    measured = "" if view.rtt_seconds is None else f"{view.rtt_seconds * 1000:.1f}ms "
    return measured + (view.latency or "")


def _table(rows: Sequence[Sequence[str]], paint: _Paint) -> Iterable[str]:
    """Columns of equal width, without those that are empty in all rows but the first."""
    kept = [column for column in range(len(HEADINGS)) if column == 0 or any(row[column] for row in rows[1:])]
    widths = {column: max(len(row[column]) for row in rows) for column in kept}
    for row in rows:
        cells = [paint(row[column]) + " " * (widths[column] - len(row[column])) for column in kept]
        yield "  ".join(cells)


class _Paint:
    """Colours a word, or leaves it as it is."""

    def __init__(self, colours: dict[str, str]) -> None:
        self._colours = colours

    def __call__(self, text: str) -> str:
        colour = self._colours.get(text.rpartition(" ")[2])
        return text if colour is None else f"\x1b[{colour}m{text}\x1b[0m"


_paint, _plain = _Paint(COLOURS), _Paint({})

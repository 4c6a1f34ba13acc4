"""The thresholds of the rules: those of values.yml, and what a file of the operator's changes of them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from exporter.config import text_of
from exporter.config.check import Section, WrongValueError, boolean, pattern, string
from exporter.config.duration import EXPECTED, format_duration, parse_duration
from exporter.config.file import Mapping, Node, Scalar, read_tree
from exporter.rules import bounds

SEVERITIES = ("critical", "warning", "ticket", "info", "none")
"""Critical and warning page somebody, a ticket can wait for the day, info is only logged, none is the watchdog's."""

Leaf = str | int | float | bool
Values = dict[str, Any]
"""Leaves by key, and below `alerts` by alert first; a duration is a text, as Prometheus writes it."""

_LINK = re.compile(r"[A-Za-z0-9./][^\s\"'{}\\<>|^`#,\[\]]{0,500}")
_PLAIN = re.compile(r"[A-Za-z0-9./(_][A-Za-z0-9._/|()*+? -]{0,500}")


def defaults() -> Values:
    """Give every value as it is shipped."""
    return parse("", "values.yml")


def load(path: Path | None) -> Values:
    """Read a file that needs only what it changes; raises ConfigError with every problem it has."""
    return defaults() if path is None else parse(text_of(path), str(path))


def parse(text: str, name: str) -> Values:
    """Lay the values in a text over the shipped ones; `name` is its file, for messages.

    Every alert also has `enabled`, true by default. Raises ConfigError with every problem there is.
    """
    shipped, own = read_tree(files("exporter.rules").joinpath("values.yml").read_text("utf-8"), "values.yml")
    own.check()
    tree, problems = read_tree(text, name)
    values = _laid_over(Section(tree, problems), shipped)
    problems.check()
    bounds.check(values, tree, problems)
    problems.check()
    return values


def _laid_over(section: Section, shipped: Mapping) -> Values:
    values: Values = {}
    for key, node in shipped.entries.items():
        if isinstance(node, Mapping):
            values[key] = _laid_over(section.section(key), node)
        elif isinstance(node, Scalar):
            take = _taker(key, node)
            values[key] = section.get(key, take, take(node))
    if re.fullmatch(r"alerts\.\w+", shipped.place.path):
        values["enabled"] = section.get("enabled", boolean, True)
    section.close()
    return values


def _taker(key: str, shipped: Scalar) -> Callable[[Node], Leaf]:
    """Choose what a key takes: more of what is shipped under it."""
    if key == "severity":
        return _severity(*(SEVERITIES if shipped.text == "none" else SEVERITIES[:-1]))
    if shipped.place.path.startswith("links."):
        return _link
    if shipped.kind in ("integer", "float"):
        return _share if key in bounds.SHARES else _number(0 if key not in bounds.FACTORS else None)
    if shipped.kind == "boolean":
        return boolean
    try:
        parse_duration(shipped.text)
    except ValueError:
        return _pattern
    return _pause if key in ("for", "keep_firing_for") else _span


def _severity(*known: str) -> Callable[[Node], str]:
    """Take one of these; an alert that somebody must see cannot go where only the watchdog goes."""

    def check(node: Node) -> str:
        if not isinstance(node, Scalar) or node.text not in known:
            raise WrongValueError(f"one of {', '.join(known)}")
        return node.text

    return check


def _link(node: Node) -> str:
    text = string(node)
    if not _LINK.fullmatch(text) or not text.strip("/"):
        raise WrongValueError("a URL or a path, without a fragment")
    return text


def _pattern(node: Node) -> str:
    """Take a regular expression that means the same to Python and to RE2, which Prometheus uses.

    RE2 knows no possessive repetition and fewer flags (https://github.com/google/re2/wiki/Syntax).
    """
    text = string(node)
    expected = "a regular expression of letters, digits, spaces and . _ / | ( ) * + ? -"
    if not _PLAIN.fullmatch(text):
        raise WrongValueError(expected)
    try:
        pattern(node)
    except WrongValueError as wrong:
        raise WrongValueError(expected, why=wrong.why.removeprefix(": ")) from None
    if foreign := re.search(r"\(\?|[*+?]\+", text):
        raise WrongValueError(expected, why=f"Prometheus knows no {foreign[0]}")
    return text


def _share(node: Node) -> int | float:
    value = _any_number(node, "a number between 0 and 1")
    if not 0 < value < 1:
        raise WrongValueError("a number between 0 and 1")
    return value


def _number(least: int | None) -> Callable[[Node], int | float]:
    """Take a number, of at least `least`, or greater than 0."""
    expected = "a number greater than 0" if least is None else f"a number of at least {least}"

    def check(node: Node) -> int | float:
        value = _any_number(node, expected)
        if value <= 0 if least is None else value < least:
            raise WrongValueError(expected)
        return value

    return check


def _any_number(node: Node, expected: str) -> int | float:
    if not isinstance(node, Scalar) or node.kind not in ("integer", "float") or len(node.text) > 30:
        raise WrongValueError(expected)
    value = float(node.text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(value):
        raise WrongValueError(expected)
    return int(node.text) if node.kind == "integer" else value


def _pause(node: Node) -> str:
    """Take a duration that may be 0, which promtool wants to have a unit."""
    if not isinstance(node, Scalar) or not (node.kind == "string" or node.text == "0"):
        raise WrongValueError(EXPECTED)
    try:
        return format_duration(parse_duration(node.text))
    except ValueError:
        raise WrongValueError(EXPECTED) from None


def _span(node: Node) -> str:
    text = _pause(node)
    if parse_duration(text) <= 0:
        raise WrongValueError("a duration greater than 0")
    return text

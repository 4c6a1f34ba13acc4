"""What the values of a configuration file may be, and a typed walk over its sections."""

from __future__ import annotations

import difflib
import re
import unicodedata
import warnings
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

import msgspec

from exporter.config.duration import EXPECTED, format_duration, parse_duration
from exporter.config.file import Listing, Mapping, Node, Place, Problems, Scalar, quoted, shown
from exporter.endpoint import Endpoint, parse_url

T = TypeVar("T")
D = TypeVar("D")


class WrongValueError(Exception):
    """A value that its key does not take; `got` is for values that a message may not show, `why` for details."""

    def __init__(self, expected: str, *, got: str | None = None, why: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.got = got
        self.why = f": {why}" if why else ""


class Address(msgspec.Struct, frozen=True):
    """Where to listen: a host without brackets, empty for all addresses, and a port, 0 for any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Parse `HOST:PORT`, `[::1]:PORT` or `:PORT`; raises ValueError with what was expected and what was found."""
    wrong = f"expected HOST:PORT, got {shown(text)!r}"
    match = re.fullmatch(
        r"(?:\[(?P<six>[^\[\]]+)\]|(?P<four>[0-9.]+)|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})", text
    )
    if match is None or int(match["port"]) > 65535:
        raise ValueError(wrong)
    try:
        if match["six"]:
            return Address(str(IPv6Address(match["six"])), int(match["port"]))
        return Address(str(IPv4Address(match["four"])) if match["four"] else match["host"], int(match["port"]))
    except ValueError:
        raise ValueError(wrong) from None


def string(node: Node) -> str:
    """Take a string."""
    if not isinstance(node, Scalar) or node.kind != "string":
        raise WrongValueError("a string")
    return node.text


def mapping(node: Node) -> Mapping:
    """Take a mapping."""
    if not isinstance(node, Mapping):
        raise WrongValueError("a mapping")
    return node


def boolean(node: Node) -> bool:
    """Take true or false."""
    if not isinstance(node, Scalar) or node.kind != "boolean":
        raise WrongValueError("true or false")
    return node.text.lower() == "true"


def boolean_or_auto(node: Node) -> bool | None:
    """Take auto, which is None, true or false."""
    if isinstance(node, Scalar) and node.kind == "string" and node.text == "auto":
        return None
    if not isinstance(node, Scalar) or node.kind != "boolean":
        raise WrongValueError("auto, true or false")
    return node.text.lower() == "true"


def count(node: Node) -> int:
    """Take an integer greater than 0, of at most 15 digits."""
    wrong = WrongValueError("an integer greater than 0")
    if not isinstance(node, Scalar) or node.kind != "integer" or len(node.text) > 15:
        raise wrong
    value = int(node.text)
    if value <= 0:
        raise wrong
    return value


def duration(least: float = 0.0, what: str = "") -> Callable[[Node], float]:
    """Take a duration in seconds, greater than 0 and at least `least`, which a message calls `what`."""

    def check(node: Node) -> float:
        written = isinstance(node, Scalar) and (node.kind == "string" or node.text == "0")
        try:
            value = parse_duration(node.text if isinstance(node, Scalar) and written else "")
        except ValueError:
            raise WrongValueError(EXPECTED) from None
        if value < least:
            raise WrongValueError(f"a duration of at least {format_duration(least)}{what}")
        if value <= 0:
            raise WrongValueError("a duration greater than 0")
        return value

    return check


def path(node: Node) -> str:
    """Take the path of a file or folder, as written."""
    text = string(node)
    if not text or _has_unprintables(text):
        raise WrongValueError("a path")
    return text


def fleet_name(node: Node) -> str:
    """Take the name of a fleet, which is the label `fleet`."""
    text = string(node)
    if not text.strip() or len(text) > 128 or _has_unprintables(text):
        raise WrongValueError("a name of 1 to 128 characters, none of them a control character")
    return text


def pattern(node: Node) -> str:
    """Take a regular expression of Python's."""
    text = string(node)
    expected = "a regular expression"
    if not 0 < len(text) <= 256:
        raise WrongValueError(f"{expected} of 1 to 256 characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(text)
    except re.error as error:
        raise WrongValueError(expected, why=shown(error.msg)) from None
    except (OverflowError, RecursionError, Warning) as error:
        raise WrongValueError(expected, why=shown(str(error))) from None
    return text


def address(node: Node) -> Address:
    """Take an address to listen on."""
    try:
        return parse_address(string(node))
    except (WrongValueError, ValueError):
        raise WrongValueError("HOST:PORT") from None


def url(default_port: int) -> Callable[[Node], Endpoint]:
    """Take an http(s) URL; `default_port` is for http without one."""

    def check(node: Node) -> Endpoint:
        text = string(node)
        if not text.isascii():
            raise WrongValueError("an http(s) URL of ASCII characters")
        try:
            return parse_url(text, default_port)
        except ValueError as error:
            raise WrongValueError(str(error).partition(", got ")[0].removeprefix("expected ")) from None

    return check


class Section:
    """A mapping of the file, read key by key; every key that was asked for is a key it may have."""

    def __init__(self, node: Mapping, problems: Problems) -> None:
        self._node = node
        self._problems = problems
        self._asked: list[str] = []
        self._failed: set[str] = set()

    def node(self, key: str) -> Node | None:
        """Give the value of a key, None where it has none."""
        if key not in self._asked:
            self._asked.append(key)
        return self._node.entries.get(key)

    def given(self, *keys: str) -> list[str]:
        """Tell which of the keys the file has."""
        return [key for key in keys if key in self._node.entries]

    def sound(self, key: str) -> bool:
        """Tell whether a key that was asked for is absent or right."""
        return key not in self._failed

    def get(self, key: str, check: Callable[[Node], T], default: D) -> T | D:
        """Give the checked value of a key, the default where it has none or a wrong one."""
        node = self.node(key)
        return default if node is None else self._checked(key, node, check, default)

    def require(self, key: str, check: Callable[[Node], T], stand_in: D) -> T | D:
        """Give the checked value of a key that must be there, `stand_in` where it is not, or wrong."""
        return self._checked(key, self.node(key) or self._absent(key), check, stand_in)

    def each(self, key: str, check: Callable[[Node], T], *, least: int = 0) -> list[tuple[Node, T]]:
        """Give the items of a list that pass the check; with `least` 1 the list must be there and not empty."""
        node = self.node(key) or (self._absent(key) if least else None)
        if node is None:
            return []
        if not isinstance(node, Listing) or len(node.items) < least:
            self.complain(key, f"expected a list{' that is not empty' if least else ''}, got {quoted(node)}")
            return []
        passed = ((item, self._checked(key, item, check, None)) for item in node.items)
        return [(item, value) for item, value in passed if value is not None]

    def section(self, key: str) -> Section:
        """Give the section under a key, an empty one where it has none or something else."""
        return Section(self.get(key, mapping, Mapping(self._node.place, {})), self._problems)

    def below(self, node: Mapping) -> Section:
        """Give a section for an item of a list of this one."""
        return Section(node, self._problems)

    def complain(self, where: str | Node, text: str) -> None:
        """Note a problem with a key of this section or with a value."""
        if isinstance(where, str):
            self._failed.add(where)
            where = self._node.entries.get(where) or self._absent(where)
        self._problems.add(where.place, text)

    def close(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._node.entries:
            if key in self._asked:
                continue
            close = difflib.get_close_matches(key[:60], self._asked, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            self.complain(key, f"unknown key, expected one of {', '.join(self._asked)}{hint}")

    def _absent(self, key: str) -> Scalar:
        place = self._node.place
        return Scalar(Place(f"{place.path}.{key}" if place.path else key, place.line, place.column), "nothing", "null")

    def _checked(self, key: str, node: Node, check: Callable[[Node], T], stand_in: D) -> T | D:
        try:
            return check(node)
        except WrongValueError as wrong:
            self._failed.add(key)
            got = quoted(node) if wrong.got is None else wrong.got
            self.complain(node, f"expected {wrong.expected}, got {got}{wrong.why}")
            return stand_in


def _has_unprintables(text: str) -> bool:
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)

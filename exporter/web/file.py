"""A web configuration, read and checked: TLS, users, headers and the rate of requests."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from exporter.config.check import Section, WrongValueError, boolean, count, mapping, string
from exporter.config.file import Node, Scalar, read_tree
from exporter.config.outside import Outside
from exporter.endpoint import Secret
from exporter.web.tls import hidden, read_tls

COSTS = range(4, 19)
"""Costs of bcrypt that are served: each one more doubles the time, and 18 takes over ten seconds."""

HEADERS: dict[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
"""The headers that can be set, and the only values of those that have some."""

_UNITS = {"ns": "1e-9", "us": "1e-6", "µs": "1e-6", "ms": "1e-3", "s": "1", "m": "60", "h": "3600"}


class Rate(msgspec.Struct, frozen=True):
    """How many requests are answered: one every `interval` seconds, and `burst` at once."""

    interval: float
    burst: int


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says; `context` is None where it says nothing about TLS, `rate` where there is no limit.

    `users` are bcrypt hashes by name; without any, whoever comes is answered. `http2` tells that the file asks for it.
    """

    context: ssl.SSLContext | None = None
    users: dict[bytes, Secret] = {}
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rate: Rate | None = None
    http2: bool = False


def parse(text: str, name: str, read_file: Callable[[Path], str]) -> Web:
    """Read a web configuration from text; `name` is its file, for messages and as the start of relative paths.

    `read_file` gives the text of a file, or raises OSError or UnicodeDecodeError. Raises ConfigError with every problem
    there is.
    """
    tree, problems = read_tree(text, name)
    root = Section(tree, problems)
    http = root.section("http_server_config")
    web = Web(
        context=read_tls(root.section("tls_server_config"), Outside({}, read_file, Path(name).parent)),
        users=_users(root),
        headers=_headers(http),
        rate=_rate(root.section("rate_limit")),
        http2=http.get("http2", boolean, False),
    )
    http.close()
    root.close()
    problems.check()
    return web


def _users(root: Section) -> dict[bytes, Secret]:
    entries = root.get("basic_auth_users", mapping, None)
    if entries is None:
        return {}
    section = root.below(entries)
    users: dict[bytes, Secret] = {}
    for name in entries.entries:
        hashed = section.get(name, _hash, None)
        if not name or ":" in name:
            section.complain(name, "expected a user name without ':', got an empty one or one with it")
        elif hashed is not None:
            users[name.encode(errors="replace")] = hashed
    return users


def _hash(node: Node) -> Secret:
    match = re.fullmatch(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}", hidden(node))
    if match is None:
        raise WrongValueError("a password's bcrypt hash", got="another text")
    if int(match[1]) not in COSTS:
        raise WrongValueError(f"a bcrypt hash of cost {COSTS[0]} to {COSTS[-1]}", got=f"one of cost {int(match[1])}")
    return Secret(match[0])


def _headers(http: Section) -> tuple[tuple[bytes, bytes], ...]:
    section = http.section("headers")
    found = [(name, section.get(name, _value(values), "")) for name, values in HEADERS.items()]
    section.close()
    return tuple((name.lower().encode(), value.encode()) for name, value in found if value)


def _value(values: tuple[str, ...]) -> Callable[[Node], str]:
    def check(node: Node) -> str:
        text = string(node)
        if values and text not in values:
            raise WrongValueError(" or ".join(values))
        if not re.fullmatch("[ -~]*", text):
            raise WrongValueError("printable ASCII")
        return text.strip()

    return check


def _rate(section: Section) -> Rate | None:
    interval = section.get("interval", _interval, 0.0)
    burst = section.get("burst", count, 0)
    if interval and not burst and section.sound("burst"):
        section.complain("burst", "expected an integer greater than 0 beside interval, got nothing")
    section.close()
    return Rate(interval, burst) if interval else None


def _interval(node: Node) -> float:
    """Take a duration as Go writes it, in seconds."""
    text = node.text if isinstance(node, Scalar) else ""
    if text == "0":
        return 0.0
    if not re.fullmatch(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h))+", text):
        raise WrongValueError("a duration of Go's such as 100ms, 1.5s or 1m30s")
    parts = re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", text)
    return float(sum(Decimal(number) * Decimal(_UNITS[unit]) for number, unit in parts))

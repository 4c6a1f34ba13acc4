"""The locks in requirements/: what each pins, with which hashes, and on whose behalf."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]

ASKED = {
    "run": RUNTIME,
    "test": RUNTIME + PROJECT["project"]["optional-dependencies"]["test"],
    **GROUPS,
}
"""What pyproject.toml asks for, by lock."""

_PIN = re.compile(r"(?P<name>[a-z0-9.-]+)(?:\[[a-z0-9,-]+\])?==(?P<version>[^ ;]+)(?: ; (?P<marker>.+))?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


class Pin(NamedTuple):
    """A package that a lock pins; `direct` where pyproject.toml itself asks for it."""

    name: str
    version: str
    marker: str | None
    hashes: int
    direct: bool


def pins(text: str) -> dict[str, Pin]:
    """Every package of a lock, by its name; raises ValueError for a line that is no part of a pin with hashes."""
    found: dict[str, Pin] = {}
    # A pin's line and those of its hashes are joined by backslashes; the comments that follow say who asks for it.
    for entry in re.split(r"\n(?=[^ #\n])", re.sub(r"\A(#.*\n)+", "\n", text))[1:]:
        lines = entry.replace("\\\n", "").splitlines()
        pin, *hashes = re.split(r"\s+(?=--)", lines[0].strip())
        match = _PIN.fullmatch(pin)
        if not match or not hashes or not all(map(_HASH.fullmatch, hashes)):
            raise ValueError(f"expected NAME==VERSION with hashes of SHA-256, got {lines[0][:80]!r}")
        if others := [line for line in lines[1:] if not line.startswith("    #")]:
            raise ValueError(f"{match['name']}: expected comments, got {others[0][:80]!r}")
        direct = any("rollcall-exporter (pyproject.toml" in line for line in lines[1:])
        found[match["name"]] = Pin(match["name"], match["version"], match["marker"], len(hashes), direct)
    return found


def stale(asked: list[str], pinned: dict[str, Pin]) -> list[str]:
    """Where a lock and what it was made of differ: each in a line."""
    wanted = {canonicalize_name(each.name): each for each in map(Requirement, asked)}
    found = [f"{name}: asked for, not locked" for name in wanted.keys() - pinned.keys()]
    found += [f"{pin.name}: locked, not asked for" for pin in pinned.values() if pin.direct and pin.name not in wanted]
    for name in wanted.keys() & pinned.keys():
        pin, each = pinned[name], wanted[name]
        if not each.specifier.contains(pin.version, prereleases=True):
            found.append(f"{name}: asked for {each.specifier}, locked {pin.version}")
        if not pin.direct:
            found.append(f"{name}: asked for, locked for others only")
        if bool(each.marker) != bool(pin.marker):
            found.append(f"{name}: asked for where {each.marker}, locked where {pin.marker}")
    return sorted(found)

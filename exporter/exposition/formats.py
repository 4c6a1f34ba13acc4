"""The two text formats of Prometheus, which of them a request accepts, and a family's header in each."""

from __future__ import annotations

import enum

from exporter.families import Family

LONGEST = 8192
"""Characters of an Accept or Accept-Encoding header that are parsed."""


class Format(enum.Enum):
    """Text 0.0.4 or OpenMetrics 1.0, by content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    @property
    def end(self) -> bytes:
        """What the exposition ends in."""
        return b"# EOF\n" if self is Format.OPENMETRICS else b""


def header(name: str, kind: str, unit: str, meaning: str, form: Format) -> bytes:
    """HELP and TYPE (in OpenMetrics UNIT too) of a family; `name` is that of its samples.

    OpenMetrics names a counter without the `_total` of its samples.
    """
    if form is Format.OPENMETRICS:
        stem = name.removesuffix("_total") if kind == "counter" else name
        text = meaning.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        units = f"# UNIT {stem} {unit}\n" if unit else ""
        return f"# HELP {stem} {text}\n# TYPE {stem} {kind}\n{units}".encode()
    text = meaning.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()


def family_header(family: Family, form: Format) -> bytes:
    """HELP and TYPE of a declared family."""
    return header(family.name, family.type, family.unit, family.help, form)


def negotiate(accept: str | None) -> Format:
    """Choose the format for an Accept header: OpenMetrics 1.0 where it is asked for at least as much as plain text.

    An unknown version, a malformed range or anything else is answered with plain text, never with an error.
    """
    wanted = {Format.TEXT: 0.0, Format.OPENMETRICS: 0.0}
    for media, parameters in _ranges(accept or ""):
        quality = _quality(parameters.get("q", "1"))
        if media == "application/openmetrics-text" and parameters.get("version", "1.0.0") == "1.0.0":
            wanted[Format.OPENMETRICS] = max(wanted[Format.OPENMETRICS], quality)
        elif media in ("text/plain", "text/*", "*/*"):
            wanted[Format.TEXT] = max(wanted[Format.TEXT], quality)
    openmetrics = wanted[Format.OPENMETRICS]
    return Format.OPENMETRICS if openmetrics > 0 and openmetrics >= wanted[Format.TEXT] else Format.TEXT


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Tell whether an Accept-Encoding header allows gzip."""
    codings = {coding: _quality(parameters.get("q", "1")) for coding, parameters in _ranges(accept_encoding or "")}
    return codings.get("gzip", codings.get("*", 0.0)) > 0


def _ranges(field: str) -> list[tuple[str, dict[str, str]]]:
    ranges = []
    for item in field[:LONGEST].split(","):
        name, *parameters = item.split(";")
        found = {}
        for parameter in parameters:
            key, _, text = parameter.partition("=")
            found[key.strip().lower()] = text.strip().strip('"')
        ranges.append((name.strip().lower(), found))
    return ranges


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0

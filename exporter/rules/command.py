"""`rollcall rules`: the rules with an operator's own values, as one file or as those of prometheus/rules."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from exporter import shipped
from exporter.rules.render import document, rendered
from exporter.rules.values import Values, load


def run(file: str | None, directory: str | None, out: TextIO, err: TextIO, set_up: str | None = None) -> int:
    """Render with the values of a file, None for the shipped ones; the exit status is 1 where it cannot be written.

    One document goes to `out`, files go into `directory` or, with an example of what else is needed, into `set_up`.
    Raises ConfigError for a file that cannot be used.
    """
    values = load(None if file is None else Path(file))
    try:
        if set_up is not None:
            _set_up(values, Path(set_up), err)
        elif directory is not None:
            shipped.write(rendered(values), Path(directory))
        else:
            out.write(document(values))
            out.flush()
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        err.write(f"rollcall: {place}expected to write the rules, got: {error.strerror or 'an error'}\n")
        return 1
    return 0


def _set_up(values: Values, directory: Path, err: TextIO) -> None:
    """Write what is missing of the example, then the rules; what stays as it is may have an operator's addresses."""
    example = shipped.example()
    there = {name for name in example if (directory / name).exists()}
    shipped.write({name: text for name, text in example.items() if name not in there}, directory)
    err.writelines(f"rollcall: {directory / name}: left as it is\n" for name in sorted(there))
    shipped.write(rendered(values), directory / "rules")

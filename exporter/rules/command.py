"""`rollcall rules`: the rules with an operator's own values, as one file or as those of prometheus/rules."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from exporter.rules.render import document, rendered
from exporter.rules.values import Values, load


def write(values: Values, directory: Path | None, out: TextIO) -> None:
    """Write one document to `out`, or the files into `directory`, which is made where it is missing.

    Raises OSError where a file cannot be written. Other files of the directory are left alone.
    """
    if directory is None:
        out.write(document(values))
        out.flush()
        return
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in rendered(values).items():
        (directory / name).write_text(text, "utf-8")


def run(file: str | None, directory: str | None, out: TextIO, err: TextIO) -> int:
    """Render with the values of a file, None for the shipped ones; the exit status is 1 where it cannot be written.

    Raises ConfigError for a file that cannot be used.
    """
    values = load(None if file is None else Path(file))
    try:
        write(values, None if directory is None else Path(directory), out)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        err.write(f"rollcall: {place}expected to write the rules, got: {error.strerror or 'an error'}\n")
        return 1
    return 0

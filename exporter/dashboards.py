"""The command `rollcall dashboards`: Grafana's dashboards, as files for its provisioning or to import by hand."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TextIO


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    parser.add_argument("--directory", metavar="DIR", help="write a file for each there (default: list them)")
    parser.add_argument(
        "--importable",
        action="store_true",
        help="those to import by hand, for which Grafana asks for the data source (default: those to provision)",
    )
    parser.set_defaults(run=lambda options: run(options.directory, sys.stdout, sys.stderr, options.importable))


def run(directory: str | None, out: TextIO, err: TextIO, importable: bool = False) -> int:
    """List the dashboards, or write them into a directory; the exit status is 1 where they cannot be written."""
    from exporter.shipped import dashboards, write

    texts = dashboards(importable=importable)
    try:
        if directory is None:
            width = max(map(len, texts))
            out.writelines(f"{name:{width}}  {json.loads(text)['title']}\n" for name, text in texts.items())
            out.flush()
        else:
            write(texts, Path(directory))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        err.write(f"rollcall: {place}expected to write the dashboards, got: {error.strerror or 'an error'}\n")
        return 1
    return 0

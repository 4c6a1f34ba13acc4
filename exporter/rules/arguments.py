"""Flags of the command `rollcall rules`."""

from __future__ import annotations

import argparse
import sys

WRONG = 2


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    parser.add_argument(
        "--values", metavar="FILE", help="thresholds that differ from exporter/rules/values.yml (default: none do)"
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--directory", metavar="DIR", help="write a file for each topic there (default: print them all)")
    place.add_argument(
        "--set-up",
        dest="set_up",
        metavar="DIR",
        help="write them to DIR/rules, and into DIR an example of what Prometheus and Alertmanager need beside them; "
        "what is there of the example stays as it is",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from exporter.config import ConfigError
    from exporter.rules.command import run

    try:
        return run(options.values, options.directory, sys.stdout, sys.stderr, options.set_up)
    except ConfigError as error:
        sys.stderr.writelines(f"rollcall: {line}\n" for line in str(error).splitlines())
        return WRONG

"""The commands that ask a running exporter: `rollcall status` and `rollcall explain`.

What they do is imported when they are run, so that `rollcall serve` need not wait for it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time

WRONG = 2
"""Exit status of a command line that cannot be used."""

TABLES = ("nodes", "workers", "wakeable", "sources")


def add_explain(explain: argparse.ArgumentParser) -> None:
    """Add what `explain` takes."""
    things = explain.add_subparsers(title="what", metavar="WHAT", required=True)
    node = things.add_parser("node", help="a node: the rule that fired, and who sees it how", allow_abbrev=False)
    node.add_argument("name", metavar="NODE", help="its id, or its host name where no other node has it")
    worker = things.add_parser(
        "worker",
        help="a worker: the rule that fired, how old the evidence is, what its store claims",
        allow_abbrev=False,
    )
    worker.add_argument("name", metavar="WORKER", help="its id")
    for what, thing in {"node": node, "worker": worker}.items():
        _add_exporter(thing)
        thing.set_defaults(run=_explain, what=what)


def add_status(status: argparse.ArgumentParser) -> None:
    """Add what `status` takes."""
    _add_exporter(status)
    status.add_argument(
        "--search", metavar="TEXT", help="show what has these words in its names, host, models or rollout"
    )
    status.add_argument("--state", help="show what has this state, status, standing, reason or result, such as ghost")
    status.add_argument(
        "--only", choices=TABLES, action="append", help="show this table only; may be given more than once"
    )
    status.add_argument(
        "--sort", metavar="FIELD", help="sort by this field, called as in --json (default: the unhealthy first)"
    )
    status.add_argument("--reverse", action="store_true", help="with --sort: the largest first")
    status.add_argument("--limit", metavar="N", type=_rows, default=100, help="rows of each table (default: 100)")
    status.add_argument("--watch", action="store_true", help="ask every 2 s, until it is interrupted")
    status.set_defaults(run=_status)


def _add_exporter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default="http://127.0.0.1:10470", help="the exporter (default: %(default)s)")
    parser.add_argument("--fleet", help="look in this fleet only")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print the exporter's answer itself")


def _rows(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 6 and 0 < int(text) <= 100_000:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 100000, got {text!r}")


def _explain(options: argparse.Namespace) -> int:
    from exporter.endpoint import parse_url
    from exporter.explain.command import NODE, PORT, WORKER, Question, run
    from exporter.sources.fetch import Resolver

    try:
        endpoint = parse_url(options.url, PORT)
    except ValueError as error:
        sys.stderr.write(f"rollcall: --url: {error}\n")
        return WRONG
    subject = {"node": NODE, "worker": WORKER}[options.what]
    question = Question(options.name, options.fleet, options.as_json, subject)
    return run(question, endpoint, Resolver(), sys.stdout, sys.stderr, os.environ)


def _status(options: argparse.Namespace) -> int:
    from exporter.endpoint import parse_url
    from exporter.explain.command import PORT
    from exporter.overview.command import Form, Look, Screen, run, sorts
    from exporter.sources.fetch import Resolver

    try:
        endpoint = parse_url(options.url, PORT)
    except ValueError as error:
        sys.stderr.write(f"rollcall: --url: {error}\n")
        return WRONG
    if options.reverse and options.sort is None:
        sys.stderr.write("rollcall: --reverse: expected --sort beside it, got none\n")
        return WRONG
    try:
        sort = {} if options.sort is None else sorts(options.sort, options.reverse)
    except ValueError as error:
        sys.stderr.write(f"rollcall: --sort: {error}\n")
        return WRONG
    look = Look(options.fleet, options.search, options.state, sort, options.limit)
    form = Form(options.only or TABLES, options.as_json, options.watch)
    screen = Screen(sys.stdout, sys.stderr, os.environ, lambda: shutil.get_terminal_size().lines, time.sleep)
    return run(look, form, endpoint, Resolver(), screen)

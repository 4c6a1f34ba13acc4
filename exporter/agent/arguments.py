"""What `rollcall agent` takes; what it does is imported when it is run."""

from __future__ import annotations

import argparse
import sys

from exporter.log import add_flags, set_up


def add(agent: argparse.ArgumentParser) -> None:
    """Add what `agent` takes."""
    agent.add_argument("--registry", metavar="URL", default="http://127.0.0.1:10470", help="default: %(default)s")
    agent.add_argument(
        "--worker-id",
        metavar="ID",
        help="nobody else's (default: the host's name; with CMD also the process' number: HOST-PID)",
    )
    agent.add_argument(
        "--interval", metavar="DURATION", type=_duration, default=10.0, help="of heartbeats (default: 10s)"
    )
    agent.add_argument("--token-file", metavar="FILE", help="holds the registry's token, if it wants one")
    agent.add_argument(
        "--no-snapshot", dest="snapshot", action="store_false", help="do not describe the machine in heartbeats"
    )
    agent.add_argument(
        "--rollouts", action="store_true", help="add a rollout for CMD where the registry is a LightningStore"
    )
    add_flags(agent)
    agent.set_defaults(run=_run, command=None)


def _duration(text: str) -> float:
    from exporter.config.duration import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _run(options: argparse.Namespace) -> int:
    from exporter.agent.command import AgentOptions, run

    set_up(options.level, options.form)
    if options.command == []:
        sys.stderr.write("rollcall: expected a program after --, got none\n")
        return 2
    return run(AgentOptions(**{name: getattr(options, name) for name in AgentOptions._fields}))

"""The command `rollcall`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

from exporter import __version__, dashboards
from exporter.agent import arguments as agent
from exporter.asking import add_explain, add_status
from exporter.log import add_flags, set_up
from exporter.rules import arguments as rules

if TYPE_CHECKING:
    from concurrent.futures import Future

    from exporter.config import Config
    from exporter.reload import Outcome

WRONG = 2
"""Exit status of a command line or a configuration that cannot be used."""

RELOADING = signal.SIGHUP
"""The signal that has the configuration loaded again."""

ENDING = (signal.SIGTERM, signal.SIGINT)
"""The signals that end the exporter with status 0, at any time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status, as docs/CLI.md has them."""
    own, command = _divided(list(sys.argv[1:] if arguments is None else arguments))
    options = _parser().parse_args(own)
    if command is not None:
        options.command = command
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # At the exit Python writes what is left in the buffer (docs.python.org: signal, Note on SIGPIPE).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _divided(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    """Cut an agent's arguments at the first `--`: what follows is a program and its own arguments, None for none."""
    if arguments[:1] != ["agent"] or "--" not in arguments:
        return arguments, None
    cut = arguments.index("--")
    return arguments[:cut], arguments[cut + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rollcall", description="Who is here, what are they doing, and what could be woken?"
    )
    parser.add_argument("--version", action="version", version=f"rollcall {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands.add_parser("serve", help="serve metrics for Prometheus to scrape", allow_abbrev=False))
    metrics = commands.add_parser("metrics", help="print metrics once, read now, and end", allow_abbrev=False)
    _add_config(metrics)
    metrics.set_defaults(run=_metrics, listen=None, web_config=None, shard=None)
    check = commands.add_parser(
        "check-config", help="check a configuration file and say what is wrong with it", allow_abbrev=False
    )
    check.add_argument("file", metavar="FILE")
    check.add_argument("--live", action="store_true", help="read every source once as well, and say how that went")
    check.set_defaults(run=_check)
    rules.add(commands.add_parser("rules", help="print Prometheus' rules with your own thresholds", allow_abbrev=False))
    dashboards.add(commands.add_parser("dashboards", help="write Grafana's dashboards to a folder", allow_abbrev=False))
    add_status(commands.add_parser("status", help="ask a running exporter who is here", allow_abbrev=False))
    add_explain(commands.add_parser("explain", help="ask a running exporter why something is as it is"))
    _add_demo(commands.add_parser("demo", help="simulate a fleet on loopback that an exporter can poll"))
    agent.add(
        commands.add_parser(
            "agent",
            help="report to a registry that this machine, or a program, is a worker",
            usage="rollcall agent [options] [-- CMD ...]",
            allow_abbrev=False,
        )
    )
    version = commands.add_parser("version", help="print the version", allow_abbrev=False)
    version.set_defaults(run=_version)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config.file", dest="config", metavar="FILE", help="configuration (default: none is needed)")
    parser.add_argument(
        "--state.dir",
        dest="state_dir",
        metavar="DIR",
        help="where to keep state (default: $STATE_DIRECTORY, /var/lib/rollcall or ~/.local/state/rollcall)",
    )


def _add_serve(serve: argparse.ArgumentParser) -> None:
    _add_config(serve)
    serve.add_argument(
        "--web.listen-address", dest="listen", metavar="HOST:PORT", help="where to serve (default: 127.0.0.1:10470)"
    )
    serve.add_argument(
        "--web.config.file", dest="web_config", metavar="FILE", help="TLS and users, as Prometheus' exporters have them"
    )
    serve.add_argument("--shard", metavar="I/N", help="show the part I, from 0, of N (default: 0/1, everything)")
    add_flags(serve)
    serve.set_defaults(run=_serve)


def _add_demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument("--nodes", type=int, default=8, help="nodes of the mesh (default: %(default)s)")
    demo.add_argument("--workers", type=int, default=24, help="workers of the store (default: %(default)s)")
    demo.add_argument("--speed", type=float, default=1.0, help="simulated seconds per second (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=1, help="seed of everything random (default: %(default)s)")
    demo.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    demo.add_argument("--mesh-port", type=int, default=3131, help="port of the first console (default: %(default)s)")
    demo.add_argument("--store-port", type=int, default=4747, help="port of the store (default: %(default)s)")
    demo.add_argument("--store-version", default="0.3", help="its API: Agent Lightning 0.3 or 1 (default: %(default)s)")
    demo.add_argument("--consoles", type=int, default=3, help="nodes whose console answers (default: %(default)s)")
    demo.add_argument(
        "--split", type=int, default=0, help="nodes that serve one model together: 0, or at least 2 (default: 0)"
    )
    demo.set_defaults(run=_demo)


def _serve(options: argparse.Namespace) -> int:
    """Serve; the imports take longer than a supervisor may wait before it sends a signal, so handlers come first.

    The kernel does not deliver a signal without a handler to PID 1, and what goes on after the server's end needs none.
    """
    hangups: SimpleQueue[Future[Outcome] | None] = SimpleQueue()
    with contextlib.ExitStack() as undo:
        undo.callback(signal.signal, RELOADING, signal.signal(RELOADING, lambda *_: hangups.put(None)))
        for number in ENDING:
            undo.callback(signal.signal, number, signal.signal(number, _leave))
        from exporter.config import ConfigError
        from exporter.serve import serve

        set_up(options.level, options.form)
        try:
            config = _config(options)
        except ConfigError as error:
            return _wrong(error)
        load = partial(_config, options) if options.config is not None else None
        status = serve(config, load, hangups)
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        undo.pop_all()
        return status


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End the process at once: an exception could rise out of an import, a finalizer or a thread's start."""
    os._exit(0)


def _wrong(error: Exception) -> int:
    for line in str(error).splitlines():
        sys.stderr.write(f"rollcall: {line}\n")
    return WRONG


def _config(options: argparse.Namespace) -> Config:
    """The configuration file, or the defaults, with what the command line overrides."""
    import msgspec

    from exporter.config import ConfigError, default_config, for_shard, load, parse_address, parse_shard

    config = load(Path(options.config), os.environ) if options.config is not None else default_config()
    if options.listen is not None:
        try:
            config = msgspec.structs.replace(config, listen=parse_address(options.listen))
        except ValueError as error:
            raise ConfigError(f"--web.listen-address: {error}") from None
    if options.web_config is not None:
        config = msgspec.structs.replace(config, web_config_file=options.web_config)
    if options.state_dir is not None:
        config = msgspec.structs.replace(config, state_dir=options.state_dir)
    if options.shard is not None:
        try:
            config = for_shard(config, parse_shard(options.shard))
        except ValueError as error:
            raise ConfigError(f"--shard: {error}") from None
    return _safe(config)


def _safe(config: Config) -> Config:
    """Give back a configuration that can be served; what that takes depends on the address, which a flag may give."""
    from exporter.config import ConfigError, unsafe

    problem = unsafe(config.registry, config.listen)
    if problem is not None:
        raise ConfigError(problem)
    return config


def _check(options: argparse.Namespace) -> int:
    from exporter.config import ConfigError, load
    from exporter.web.current import Current

    try:
        config = _safe(load(Path(options.file), os.environ))
        if config.web_config_file is not None:
            Current(Path(config.web_config_file))
    except ConfigError as error:
        return _wrong(error)
    sys.stdout.write(f"{options.file}: ok\n")
    if not options.live:
        return 0
    from exporter.once import check, progress
    from exporter.plan import Sources

    set_up("error", "logfmt")
    return check(Sources().of(config), sys.stdout, progress(sys.stderr))


def _metrics(options: argparse.Namespace) -> int:
    from exporter.config import ConfigError
    from exporter.once import metrics, progress, sources_of
    from exporter.privacy.names import PrivacyError
    from exporter.serve import collectors

    set_up("error", "logfmt")
    try:
        config = _config(options)
        sources = sources_of(config, os.environ)
    except (ConfigError, PrivacyError) as error:
        return _wrong(error)
    return metrics(config, sources, collectors(config), sys.stdout.buffer, sys.stderr, progress(sys.stderr))


def _version(_options: argparse.Namespace) -> int:
    sys.stdout.write(f"rollcall {__version__}\n")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from exporter.demo.command import run

    return run(options)


if __name__ == "__main__":
    sys.exit(main())

"""`rollcall demo`: run a simulated fleet until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from exporter.demo.fleet import Demo
from exporter.demo.simulation import DemoOptions


def run(arguments: argparse.Namespace) -> int:
    """Serve the fleet until SIGTERM or SIGINT; returns the exit status: 0, 1 for a taken port, 2 for a bad number.

    What it prints on standard output is a configuration file for an exporter that is to watch the fleet.
    """
    known = vars(arguments)
    try:
        demo = Demo(DemoOptions(**{name: known[name] for name in DemoOptions.__struct_fields__ if name in known}))
    except ValueError as error:
        sys.stderr.write(f"rollcall: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"rollcall: cannot listen on {arguments.host}: {error.strerror or error}\n")
        return 1
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with demo:
        sys.stdout.write(demo.configuration())
        sys.stdout.flush()
        over.wait()
    return 0

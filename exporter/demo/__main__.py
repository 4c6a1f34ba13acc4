"""`python -m exporter.demo`: a simulated fleet, and an exporter in a process of its own that polls it."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from exporter.demo.fleet import Demo
from exporter.demo.simulation import DemoOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both until SIGTERM, SIGINT or the exporter's end; returns the exporter's exit status."""
    parser = argparse.ArgumentParser(prog="python -m exporter.demo", description=__doc__)
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--workers", type=int, default=24)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", type=int, default=0)
    parser.add_argument("--web.listen-address", dest="listen", metavar="HOST:PORT", default="127.0.0.1:10470")
    options = parser.parse_args(arguments)
    demo = Demo(
        DemoOptions(
            nodes=options.nodes,
            workers=options.workers,
            speed=options.speed,
            seed=options.seed,
            split=options.split,
            mesh_port=0,
            store_port=0,
        )
    )
    with demo, tempfile.TemporaryDirectory(prefix="rollcall-demo-") as folder:
        configuration = Path(folder) / "rollcall.yaml"
        configuration.write_text(demo.configuration(), "utf-8")
        serve = ["serve", "--config.file", str(configuration), "--web.listen-address", options.listen]
        serve += ["--state.dir", str(Path(folder) / "state")]
        with subprocess.Popen([sys.executable, "-m", "exporter.cli", *serve]) as exporter:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: exporter.terminate())
            return exporter.wait()


if __name__ == "__main__":
    sys.exit(main())

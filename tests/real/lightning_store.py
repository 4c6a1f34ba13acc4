"""Runs real LightningStores; started by an interpreter that has agentlightning 0.3.0, which this project has not.

The import takes 10 s of a processor, so one process does it and forks a store for each line `PORT SCAN` on standard
input: it listens on 127.0.0.1:PORT and looks for overdue attempts at most every SCAN seconds (upstream's default is
10). The store's pid is printed as `PORT PID`. The end of standard input ends this process and its stores.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

from agentlightning.store.client_server import LightningStoreServer  # type: ignore[import-not-found]
from agentlightning.store.memory import InMemoryLightningStore  # type: ignore[import-not-found]


def _run(port: int, scan: float) -> None:
    store = InMemoryLightningStore(thread_safe=True, scan_debounce_seconds=scan)
    server = LightningStoreServer(store, host="127.0.0.1", port=port, launch_mode="asyncio")
    asyncio.run(server.run_forever())


def main() -> None:
    """Fork a store for each line of standard input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    stores = []
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        port, scan = line.split()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _run(int(port), float(scan))
            finally:
                os._exit(0)
        stores.append(pid)
        print(port, pid, flush=True)
    for pid in stores:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()

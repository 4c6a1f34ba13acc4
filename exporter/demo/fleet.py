"""A simulated fleet on loopback: consoles and a store that speak the real protocols, driven by real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from email.utils import formatdate
from types import TracebackType

from exporter.demo.api import Api
from exporter.demo.api_1 import ServerApi
from exporter.demo.console import Console
from exporter.demo.nodes import Node
from exporter.demo.server import Answer, Request, Server, response
from exporter.demo.simulation import DemoOptions, Simulation, simulate
from exporter.demo.store import Store

TICK = 0.2


class Demo:
    """Servers of a simulated fleet; use it as a context manager, or `start()` and `stop()` it.

    Time runs and ports are taken from the beginning; they are answered from `start()` on. Raises OSError when a port is
    taken. All methods may be called from any thread; those that name a worker, a node or a wakeable node raise KeyError
    for an unknown one.
    """

    def __init__(
        self,
        options: DemoOptions | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options = options or DemoOptions()
        self._monotonic = monotonic
        self._last = monotonic()
        self._lock = threading.Lock()
        self._following = threading.Lock()
        self._stopping = threading.Event()
        self._ticker: threading.Thread | None = None
        self.simulation: Simulation = simulate(options, wall())
        self._api = _api(options.store_version, self.simulation.store)
        self._servers: list[Server] = []
        self._consoles: list[tuple[Node, Server]] = []
        self._were_up = [True] * len(self.simulation.mesh.consoles)
        try:
            self.store_server = Server(
                options.host, options.store_port, self._from_store, self._store_response, keep_alive=True
            )
            self._servers.append(self.store_server)
            for place, node in enumerate(self.simulation.mesh.consoles):
                port = options.mesh_port + place if options.mesh_port else 0
                self._consoles.append((node, self._console_server(node, port)))
        except OSError:
            self._close()
            raise

    def __enter__(self) -> Demo:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def console_servers(self) -> tuple[Server, ...]:
        """The consoles' servers, in the order of `console_nodes`: their `pause()`, `resume()`, `down()`, `up()`."""
        return tuple(server for _, server in self._consoles)

    @property
    def console_nodes(self) -> tuple[str, ...]:
        """The ids of the nodes whose consoles can be polled."""
        return tuple(node.node_id for node, _ in self._consoles)

    @property
    def mesh_urls(self) -> tuple[str, ...]:
        """URLs of the consoles."""
        return tuple(server.url for server in self.console_servers)

    @property
    def store_url(self) -> str:
        """URL of the store."""
        return self.store_server.url

    @property
    def urls(self) -> tuple[str, ...]:
        """URLs of the consoles, then the store's."""
        return (*self.mesh_urls, self.store_url)

    def configuration(self, interval: str = "5s", heartbeat_timeout: str = "45s") -> str:
        """A configuration file for an exporter that is to watch this fleet: mesh and store are fleet `demo`."""
        lines = ["meshes:", "  - fleet: demo", "    urls:"]
        lines += [f"      - {url}" for url in self.mesh_urls]
        lines += [f"    interval: {interval}", "stores:", "  - fleet: demo", f"    url: {self.store_url}"]
        lines += [f"    interval: {interval}", f"    heartbeat_timeout: {heartbeat_timeout}"]
        return "\n".join(lines) + "\n"

    def start(self) -> None:
        """Begin to answer."""
        self.store_server.up()
        for _, server in self._consoles:
            server.up()
        self._ticker = threading.Thread(target=self._run, daemon=True)
        self._ticker.start()

    def stop(self) -> None:
        """End every server; no thread and no socket is left."""
        self._stopping.set()
        if self._ticker is not None:
            self._ticker.join()
            self._ticker = None
        self._close()

    def workers(self, status: str | None = None) -> list[str]:
        """Ids of the workers that the store knows, or of those in a status."""
        with self._lock:
            self._catch_up()
            known = self.simulation.store.workers.values()
            return [worker.worker_id for worker in known if status in (None, worker.status)]

    def nodes(self) -> dict[str, str]:
        """Ids and host names of the mesh's members."""
        with self._lock:
            self._catch_up()
            return {node.node_id: node.hostname for node in self.simulation.mesh.members.values()}

    def kill_worker(self, worker_id: str, *, busy: bool = False) -> None:
        """Kill a runner, with `busy` while it is at work on a rollout without a time limit: the store never notices."""
        with self._lock:
            self._catch_up()
            runners = self.simulation.runners
            if busy and runners.runners[worker_id].alive:
                runners.occupy(worker_id)
            runners.kill(worker_id)

    def revive_worker(self, worker_id: str) -> None:
        """Start a killed runner's replacement, with the same id."""
        self._do(lambda simulation: simulation.runners.revive(worker_id))

    def restart_store(self, version: str | None = None) -> None:
        """Restart the store, which forgets everything; with `version`, as one of 0.3 or 1."""

        def restart(simulation: Simulation) -> None:
            simulation.restart_store()
            if version is not None:
                self._api = _api(version, simulation.store)

        self._do(restart)

    def set_clock_offset(self, seconds: float) -> None:
        """Step the store's clock: how many seconds it is ahead from now on."""

        def step(simulation: Simulation) -> None:
            simulation.clock_offset = seconds

        self._do(step)

    def kill_node(self, node_id: str) -> None:
        """Kill a node: its console refuses, its peers list it for 290 simulated seconds more."""
        self._do(lambda simulation: simulation.mesh.kill(node_id))

    def restart_node(self, node_id: str) -> None:
        """Start a killed node again."""
        self._do(lambda simulation: simulation.mesh.restart(node_id))

    def exit_node(self, node_id: str, gossiped_to: Collection[str] = ()) -> None:
        """Let a node leave cleanly: its console refuses, its peers forget it at once.

        The nodes with the ids `gossiped_to` list it as a ghost from a second later on, for 300 simulated seconds.
        """
        self._do(lambda simulation: simulation.mesh.leave(node_id, gossiped_to))

    def partition(self, half: Collection[str]) -> None:
        """Cut the nodes with the ids `half` off from all others: 290 simulated seconds later each side lists itself."""
        self._do(lambda simulation: simulation.mesh.partition(half))

    def heal(self) -> None:
        """Let the two sides hear of each other again."""
        self._do(lambda simulation: simulation.mesh.heal())

    def want(self, model: str, node_id: str) -> None:
        """Let a node's owner ask for a model: a target of the mesh, with a shortfall if it does not fit into it."""
        self._do(lambda simulation: simulation.mesh.want(model, node_id))

    def wake(self, logical_id: str, *, succeeds: bool = True, overrun: float = 0.0) -> None:
        """Wake sleeping capacity; it becomes a live node, or (`succeeds=False`) goes back to sleep.

        That takes `overrun` simulated seconds longer than it promises.
        """
        self._do(lambda simulation: simulation.mesh.wake(logical_id, succeeds=succeeds, overrun=overrun))

    def strike(self, logical_id: str) -> None:
        """List wakeable capacity no longer; a wake that is under way comes to nothing."""
        self._do(lambda simulation: simulation.mesh.strike(logical_id))

    def _do(self, action: Callable[[Simulation], None]) -> None:
        with self._lock:
            self._catch_up()
            action(self.simulation)
        self._follow()

    def _catch_up(self) -> None:
        now = self._monotonic()
        elapsed, self._last = now - self._last, now
        self.simulation.advance(elapsed * self.options.speed)

    def _run(self) -> None:
        while not self._stopping.wait(TICK):
            with self._lock:
                self._catch_up()
            self._follow()

    def _follow(self) -> None:
        with self._following:
            for place, (node, server) in enumerate(self._consoles):
                if node.up != self._were_up[place]:
                    self._were_up[place] = node.up
                    (server.up if node.up else server.down)()

    def _console_server(self, node: Node, port: int) -> Server:
        console = Console(self.simulation.mesh, self.simulation.timeline, node)

        def respond(request: Request) -> Answer:
            with self._lock:
                self._catch_up()
                return console.answer(request)

        server = Server(self.options.host, port, respond, _console_response, keep_alive=False)
        console.port = server.port
        return server

    def _from_store(self, request: Request) -> Answer:
        with self._lock:
            self._catch_up()
            return self._api.answer(request)

    def _store_response(self, request: Request, answer: Answer) -> bytes:
        headers = (
            ("date", formatdate(self.simulation.store_clock(), usegmt=True)),
            ("server", "uvicorn"),
            *answer.headers,
            ("content-length", str(len(answer.body))),
            ("content-type", "application/json"),
        )
        return response(answer, headers, body=request.method != "HEAD")

    def _close(self) -> None:
        for server in (*self._servers, *self.console_servers):
            server.close()


def _api(version: str, store: Store) -> Api | ServerApi:
    return Api(store) if version == "0.3" else ServerApi(store)


def _console_response(request: Request, answer: Answer) -> bytes:
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(answer.body))))
    return response(answer, headers, body=request.method != "HEAD")

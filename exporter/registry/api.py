"""The registry over HTTP: LightningStore's worker endpoints (Agent Lightning 0.3.0), and verbs of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from exporter.asgi import Receive, Scope, Send
from exporter.http_protocol import Answer
from exporter.records.registry import Registered
from exporter.registry import answers, bodies
from exporter.registry.admission import HEARTBEAT_BYTES, PREFIX, Admission, most_of, said_twice
from exporter.registry.asked import Asked, Budget, GoneError
from exporter.registry.bodies import LONGEST_NAME, UNREADABLE, WrongError
from exporter.registry.reply import CLOSE, Reply, refused
from exporter.registry.request import Accepted, Goodbye, Heartbeats, Outcome, Refused, Request, Unwritten
from exporter.registry.schema import RegistryError
from exporter.registry.search import PAGE, Found, Search, UnorderedError
from exporter.registry.selection import Selection
from exporter.registry.writer import Answers, Writer
from exporter.state.events import Heartbeat

READERS = 2
"""Threads that look things up."""

LOOKING = 64
"""Requests that look things up or wait to; who comes beyond is told to come back."""

ARRIVING = 64 * 2**20
"""Bytes of bodies that are held at most while they arrive."""

LARGE = 2**16
"""Bytes of a body that takes so long to read that other requests go on meanwhile."""

WORKER = PREFIX + "workers/"
OTHERS = ("", "search", "heartbeats")
"""What follows `WORKER` in paths that are no worker's."""

LATER = ((b"retry-after", b"1"),)

T = TypeVar("T")
Handler = Callable[[Asked], Awaitable[Reply]]


class Token(NamedTuple):
    """Who waits for what came of a write: `give` is called with it on the event loop."""

    loop: asyncio.AbstractEventLoop
    give: Callable[[Outcome | Unwritten], None]


class Api:
    """The ASGI application for the paths that begin with `PREFIX`; `uptime` gives seconds since the start."""

    def __init__(
        self,
        writer: Writer[Token],
        search: Search,
        admission: Admission,
        uptime: Callable[[], float],
        most_looking: int = LOOKING,
    ) -> None:
        self._writer = writer
        self._search = search
        self._admission = admission
        self._uptime = uptime
        self._readers = ThreadPoolExecutor(READERS, "registry-reader")
        self._looking = 0
        self._most_looking = most_looking
        self._budget = Budget(ARRIVING)
        self._fixed: dict[str, dict[str, Handler]] = {
            "health": {"GET": self._health},
            "statistics": {"GET": self._statistics},
            "workers": {"GET": self._list},
            "workers/search": {"POST": self._find},
            "workers/heartbeats": {"POST": self._beats},
        }
        self._of_worker: dict[str, dict[str, Handler]] = {
            "": {"GET": self._worker, "POST": self._beat, "DELETE": self._goodbye},
            "dequeue": {"POST": self._dequeue},
            "attempt": {"POST": self._attempt},
        }

    def start(self) -> None:
        """Start writing."""
        self._writer.start(resolve)

    def stop(self) -> None:
        """Write what waits, and let go of the file."""
        self._writer.stop()
        self._readers.shutdown(cancel_futures=True)
        self._search.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is refused before its body was asked for may leave that unsent."""
        method, path, headers = scope["method"], scope["path"], dict(scope["headers"])
        if said_twice(scope["headers"]):
            await refused(400, "A header that decides who may do what is there twice.").send(send)
            return
        client = scope["client"][0] if scope["client"] else ""
        most = most_of(path)
        refusal = self._admission.refusal(method, headers, client, most)
        handler, worker, allowed = self._route(method, path[len(PREFIX) :])
        if refusal is not None:
            reply = refused(refusal.status, refusal.detail, refusal.headers)
        elif handler is None:
            reply = _nothing(method, allowed)
        else:
            with contextlib.suppress(GoneError):
                reply = await self._answer(handler, Asked(scope, receive, client, worker, most, self._budget))
                await reply.send(send)
            return
        await (reply._replace(headers=reply.headers + CLOSE) if b"expect" in headers else reply).send(send)

    def _route(self, method: str, name: str) -> tuple[Handler | None, str, str]:
        """The handler of a request, its worker, and the methods that there are, empty for an unknown path."""
        fixed = self._fixed.get(name, {})
        if method in fixed:
            return fixed[method], "", ""
        first, _, rest = name.partition("/")
        worker, slash, verb = rest.partition("/")
        found = self._of_worker.get(verb, {}) if first == "workers" and worker and bool(slash) == bool(verb) else {}
        return found.get(method), worker, ", ".join({**fixed, **found})

    async def _answer(self, handler: Handler, asked: Asked) -> Reply:
        try:
            return await handler(asked)
        except WrongError as wrong:
            if wrong.reason is not None:
                self._admission.count(wrong.reason)
            try:
                return refused(wrong.status, wrong.detail)
            except RecursionError:
                return refused(400, UNREADABLE)
        except UnorderedError:
            return refused(400, "Invalid sort_by: heartbeat_stats, its values have no order")
        except RegistryError:
            return refused(503, "The registry cannot be read.", LATER)

    def is_short(self, scope: Scope) -> bool:
        """Tell whether a request is a worker's heartbeat, for which `shorten` may do."""
        worker = scope["path"][len(WORKER) :]
        return (
            scope["method"] == "POST"
            and scope["path"].startswith(WORKER)
            and worker not in OTHERS
            and "/" not in worker
        )

    def shorten(self, scope: Scope, body: bytes, answer: Answer, loop: asyncio.AbstractEventLoop) -> bool:
        """Take a usual heartbeat without the cost of a task; false leaves it to the application."""
        worker = scope["path"][len(WORKER) :]
        try:
            stats = bodies.usual(body)
        except WrongError:
            return False
        if stats is bodies.UNUSUAL or not 0 < len(worker) <= LONGEST_NAME or said_twice(scope["headers"]):
            return False
        client = scope["client"][0] if scope["client"] else ""
        refusal = self._admission.refusal("POST", dict(scope["headers"]), client, HEARTBEAT_BYTES)
        if refusal is not None:
            reply = refused(refusal.status, refusal.detail, refusal.headers)
            answer(reply.status, reply.fields, reply.body)
            return True

        def give(outcome: Outcome | Unwritten) -> None:
            reply = self._reply(outcome)
            answer(reply.status, reply.fields, reply.body)

        unwritten = self._writer.submit(Request(Heartbeat(worker, stats), client), Token(loop, give))
        if unwritten is not None:
            give(unwritten)
        return True

    async def _write(self, request: Request) -> Reply:
        """Have something written, and wait until it is on disk."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Outcome | Unwritten] = loop.create_future()

        def give(outcome: Outcome | Unwritten) -> None:
            if not waiting.done():
                waiting.set_result(outcome)

        return self._reply(self._writer.submit(request, Token(loop, give)) or await waiting)

    def _reply(self, outcome: Outcome | Unwritten) -> Reply:
        match outcome:
            case Registered():
                return Reply(200, answers.worker(outcome))
            case None:
                return Reply(200, answers.NULL)
            case Accepted(count=count):
                return Reply(200, answers.encoded({"accepted": count}))
            case Refused(limit=limit, of_client=of_client, reason=reason):
                self._admission.count(reason)
                return refused(429, f"Too many workers; expected at most {limit}{' of one client' * of_client}.")
            case Unwritten(reason="busy"):
                self._admission.count("busy")
                return refused(503, "The registry is busy.", LATER)
            case Unwritten():
                return refused(503, "The registry cannot be written.", LATER)

    async def _look(self, find: Callable[..., T], *arguments: object) -> T:
        """Look something up in a thread; raises WrongError where too many do."""
        if self._looking >= self._most_looking:
            raise WrongError(503, "The registry is busy.", "busy")
        self._looking += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, find, *arguments)
        finally:
            self._looking -= 1

    async def _beat(self, asked: Asked) -> Reply:
        return await self._write(Request(Heartbeat(asked.worker, bodies.heartbeat(await asked.body())), asked.client))

    async def _beats(self, asked: Asked) -> Reply:
        body = await asked.body()
        read = bodies.heartbeats
        beats = await self._look(read, body) if len(body) > LARGE else read(body)
        return await self._write(Request(Heartbeats(beats), asked.client))

    async def _dequeue(self, asked: Asked) -> Reply:
        from exporter.registry.query import dequeue_of

        return await self._write(Request(dequeue_of(asked.registrant, await asked.body()), asked.client))

    async def _attempt(self, asked: Asked) -> Reply:
        from exporter.registry.query import attempt_of

        return await self._write(Request(attempt_of(asked.registrant, await asked.body()), asked.client))

    async def _goodbye(self, asked: Asked) -> Reply:
        return await self._write(Request(Goodbye(asked.worker), asked.client))

    async def _worker(self, asked: Asked) -> Reply:
        found = await self._look(self._search.find, asked.worker)
        return Reply(200, answers.NULL if found is None else answers.worker(found))

    async def _list(self, asked: Asked) -> Reply:
        from exporter.registry.query import selection_of_target

        return await self._select(selection_of_target(asked.query_string))

    async def _find(self, asked: Asked) -> Reply:
        from exporter.registry.query import selection_of_body

        return await self._select(selection_of_body(await asked.body()))

    async def _select(self, selection: Selection) -> Reply:
        found = await self._look(self._search.select, selection)
        end = answers.page_end(selection.limit, selection.offset, found.total)
        start = answers.PAGE_START + b",".join(found.pieces)
        return Reply(200, start, more=self._rest(found, end)) if found.rest else Reply(200, start + end)

    async def _rest(self, found: Found, end: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(found.rest), PAGE):
            piece = await self._look(self._search.take, found.rest[start : start + PAGE])
            if piece:
                yield b"," + piece
        yield end

    async def _health(self, _: Asked) -> Reply:
        return Reply(200, answers.encoded({"status": "ok"}))

    async def _statistics(self, _: Asked) -> Reply:
        workers = await self._look(self._search.count)
        return Reply(200, answers.encoded(answers.Statistics(total_workers=workers, uptime=self._uptime())))


def resolve(written: Answers[Token]) -> None:
    """Give requests what came of them, on the event loop that they wait on; for any thread."""
    if written:
        # The loop is closed when the server has ended, and nobody waits any more.
        with contextlib.suppress(RuntimeError):
            written[0][0].loop.call_soon_threadsafe(_resolve, written)


def _resolve(written: Answers[Token]) -> None:
    for token, outcome in written:
        token.give(outcome)


def _nothing(method: str, allowed: str) -> Reply:
    """Answer for what is not there; where LightningStore has nothing, its dashboard answers, which can only be got."""
    if method == "GET" and not allowed:
        return refused(404, "Not Found")
    return refused(405, "Method Not Allowed", ((b"allow", (allowed or "GET").encode()),))

"""What stands before the application: who may ask, how often, and which headers answers have."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

import bcrypt
import pytest

from exporter.asgi import ASGIApp, Receive, Scope, Send
from exporter.endpoint import Secret
from exporter.http_protocol import Protocol
from exporter.records import WebRejections
from exporter.web.file import Rate, Web
from exporter.web.guard import REASONS, Guard
from exporter.web.logins import BusyError, Logins
from tests.unit.asgi import Answered, ask

USERS = {b"bob": Secret(bcrypt.hashpw(b"pa:ss", bcrypt.gensalt(4)).decode())}


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"X-Frame-Options", b"deny"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"in"})


def guarded(web: Web, clock: Callable[[], float] = lambda: 0.0) -> tuple[Guard, ASGIApp]:
    guard = Guard(lambda: web, Logins(), keyed=lambda path: path.startswith("/v1/"), clock=clock)
    return guard, guard.before(inside)


def basic(login: bytes, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(login).decode()}"


def counted(guard: Guard) -> dict[str, int]:
    return {row.reason: row.count for row in guard.tables()[WebRejections] if isinstance(row, WebRejections)}


def test_a_file_without_users_asks_for_none() -> None:
    guard, app = guarded(Web())
    assert ask(app, "/metrics") == Answered(200, {"X-Frame-Options": "deny", "content-length": "2"}, b"in")
    assert counted(guard) == dict.fromkeys(REASONS, 0)


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/-/healthy", "/-/ready", "/-/reload", "/api/v1/nodes/n", "/nothing"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "BREW"])
def test_every_path_is_behind_the_users(path: str, method: str) -> None:
    guard, app = guarded(Web(users=USERS))
    answered = ask(app, path, method)
    assert answered.status == 401
    assert answered.headers["www-authenticate"] == 'Basic realm="rollcall", charset="UTF-8"'
    assert answered.body == (b"" if method == "HEAD" else b"Expected a user and password.\n")
    assert ask(app, path, method, authorization=basic(b"bob:pa:ss")).status == 200
    assert counted(guard) == {"credentials": 1, "busy": 0, "rate": 0}


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (basic(b"bob:pa:ss", "bAsIc"), 200),
        (basic(b"bob:pa:ss") + "  ", 200),
        (basic(b"bob:pa"), 401),
        (basic(b"bob"), 401),
        (basic(b":pa:ss"), 401),
        (basic(b"al:pa:ss"), 401),
        (basic(b"bob:pa:ss", "Bearer"), 401),
        ("Basic", 401),
        ("Basic !!!!", 401),
        ("Basic \xe9", 401),
        ("Basic " + "A" * 6000, 401),
        ("", 401),
    ],
)
def test_what_an_authorization_header_may_be(header: str, status: int) -> None:
    assert ask(guarded(Web(users=USERS))[1], "/metrics", authorization=header).status == status


def test_two_authorization_headers_are_none() -> None:
    _, app = guarded(Web(users=USERS))
    statuses: list[int] = []

    async def send(message: object) -> None:
        statuses.extend([message["status"]] if "status" in message else [])  # type: ignore[operator, index]

    header = (b"authorization", basic(b"bob:pa:ss").encode())
    scope = {"path": "/metrics", "method": "GET", "client": None, "headers": [header, header]}
    asyncio.run(app(scope, None, send))  # type: ignore[arg-type]
    assert statuses == [401]


def test_a_path_with_a_key_of_its_own_is_left_to_that() -> None:
    _, app = guarded(Web(users=USERS))
    assert ask(app, "/v1/agl/workers/w", "POST", authorization="Bearer token").status == 200


def test_too_many_logins_are_told_to_come_back() -> None:
    class Full(Logins):
        async def right(self, *_: object) -> bool:
            raise BusyError

    guard = Guard(lambda: Web(users=USERS), Full())
    app = guard.before(inside)
    answered = ask(app, "/metrics", authorization=basic(b"bob:pa:ss"))
    assert (answered.status, answered.headers["retry-after"]) == (503, "1")
    assert counted(guard) == {"credentials": 0, "busy": 1, "rate": 0}


def test_the_rate_holds_for_everybody_together_and_comes_before_logins() -> None:
    now = [0.0]
    guard, app = guarded(Web(users=USERS, rate=Rate(0.5, 2)), clock=lambda: now[0])

    def statuses(count: int) -> list[int]:
        return [ask(app, "/metrics").status for _ in range(count)]

    assert statuses(4) == [401, 401, 429, 429]
    now[0] += 0.5
    assert statuses(2) == [401, 429]
    now[0] += 60
    assert statuses(3) == [401, 401, 429]
    assert counted(guard) == {"credentials": 5, "busy": 0, "rate": 4}


def test_another_rate_holds_at_once() -> None:
    webs = [Web(rate=Rate(1, 1))]
    guard = Guard(lambda: webs[0], Logins(), clock=lambda: 0.0)
    app = guard.before(inside)
    assert [ask(app, "/").status for _ in range(2)] == [200, 429]
    webs[0] = Web(rate=Rate(1, 2))
    assert [ask(app, "/").status for _ in range(3)] == [200, 200, 429]
    webs[0] = Web()
    assert [ask(app, "/").status for _ in range(3)] == [200] * 3


def test_every_answer_has_the_headers_that_it_lacks() -> None:
    headers = ((b"x-frame-options", b"sameorigin"), (b"strict-transport-security", b"max-age=9"))
    _, app = guarded(Web(users=USERS, headers=headers))
    assert ask(app, "/").headers["x-frame-options"] == "sameorigin"
    inner = ask(app, "/", authorization=basic(b"bob:pa:ss")).headers
    assert inner == {"X-Frame-Options": "deny", "content-length": "2", "strict-transport-security": "max-age=9"}


def test_who_waits_to_send_a_body_is_not_left_on_the_connection() -> None:
    answered = ask(guarded(Web(users=USERS))[1], "/v2", "POST", expect="100-continue")
    assert answered.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("web", "path", "short"),
    [
        (Web(), "/v1/agl/workers/w", True),
        (Web(users=USERS), "/v1/agl/workers/w", True),
        (Web(users=USERS), "/other", False),
        (Web(headers=((b"a", b"b"),)), "/v1/agl/workers/w", False),
        (Web(rate=Rate(1, 1)), "/v1/agl/workers/w", False),
    ],
)
def test_what_is_answered_without_the_application(web: Web, path: str, short: bool) -> None:
    class Short(Protocol):
        def is_short(self, scope: Scope) -> bool:
            return True

    protocol = guarded(web)[0].behind(Short)
    assert protocol.is_short(object.__new__(protocol), {"path": path}) is short

"""`/-/reload`: who may ask, how, and what is answered."""

from __future__ import annotations

import pytest

from exporter.asgi import ASGIApp
from exporter.collection import Collection
from exporter.exposition import Exposition
from exporter.families import LIVE, POLLED
from exporter.scrape import Scrape
from exporter.server import Reload, application
from tests.unit.asgi import OnePage, ask

PATH = "/-/reload"


def served(reload: Reload | None, *, local: bool = True) -> ASGIApp:
    snapshot = Exposition(POLLED, 10**6).publish({})
    scrape = Scrape(lambda: snapshot, Collection((), 1.0, lambda name, message: None), LIVE)
    return application(scrape, lambda: True, OnePage(), {}, local=local, reload=reload)


class Counted:
    """Answers as the test says, and counts."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked = 0

    async def __call__(self) -> tuple[int, str]:
        self.asked += 1
        return self.status, "a text\n"


@pytest.mark.parametrize("status", [200, 409, 500])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_comes_of_it_is_answered(method: str, status: int) -> None:
    reload = Counted(status)
    answer = ask(served(reload), PATH, method)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (
        status,
        b"a text\n",
        "text/plain; charset=utf-8",
    )
    assert reload.asked == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "BREW"])
def test_other_methods_ask_for_nothing(method: str) -> None:
    reload = Counted()
    answer = ask(served(reload), PATH, method)
    assert (answer.status, answer.headers["allow"], reload.asked) == (405, "POST, PUT", 0)


@pytest.mark.parametrize("local", [True, False])
def test_whoever_reaches_the_server_may_ask(local: bool) -> None:
    reload = Counted()
    for headers in ({}, {"host": "rollcall.example:10470", "origin": "http://other.example"}):
        assert ask(served(reload, local=local), PATH, "POST", **headers).status == 200
    assert reload.asked == 2


@pytest.mark.parametrize("path", ["/-/reload/", "/-/reloads", "/metrics"])
def test_it_is_one_path(path: str) -> None:
    reload = Counted()
    assert ask(served(reload), path, "POST").status == 405
    assert reload.asked == 0


def test_a_server_that_cannot_has_no_such_path() -> None:
    assert (ask(served(None), PATH).status, ask(served(None), PATH, "POST").status) == (404, 405)

"""`/api/v1/status`: JSON that steers no terminal, and what is said where too many ask at once."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from exporter.overview import NodeRow, Overview
from exporter.pages.site import RENDERED, STATUS, Site
from tests.unit.asgi import ask

NOW = 1_700_000_000.0


def test_it_is_ascii_and_says_the_same() -> None:
    said = Overview(
        at=NOW, version="1", nodes=(NodeRow(fleet="eü", node="\u202e\x9b\U0001f600\u2028", state="serving"),)
    )
    answered = ask(Site(lambda: said, {}), STATUS)
    assert (answered.status, answered.body.isascii()) == (200, True)
    told = msgspec.json.decode(answered.body, type=Overview)
    assert (told.nodes, told.of["nodes"]) == (said.nodes, 1)


@pytest.mark.parametrize(("path", "form"), [(STATUS, "application/json"), ("/", "text/html; charset=utf-8")])
def test_only_so_many_are_made_at_a_time(path: str, form: str) -> None:
    entered, opened = threading.Semaphore(0), threading.Event()

    def slow() -> Overview:
        entered.release()
        assert opened.wait(60)
        return Overview(at=NOW, version="1")

    site = Site(slow, {})
    with ThreadPoolExecutor(RENDERED) as pool:
        under_way = [pool.submit(ask, site, STATUS) for _ in range(RENDERED)]
        assert all(entered.acquire(timeout=60) for _ in under_way)
        refused = ask(site, path)
        opened.set()
        assert [each.result().status for each in under_way] == [200] * RENDERED
    assert (refused.status, refused.headers["content-type"]) == (503, form)
    if path == STATUS:
        assert json.loads(refused.body) == {"error": f"{RENDERED} pages are being made: ask again in a moment"}

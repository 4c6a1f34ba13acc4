"""The status page while the fleet changes: what changes appears by itself, the rest stays as a person left it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.browser.chromium import Chromium
from tests.promises.recording import Measured
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import post

WORKERS = 10_000

PAGES = 3
"""Pages that are asked for at a time: one less than there may be, as the browser's own asks again now and then."""

GENEROUS = 10_000.0
"""Milliseconds that a page or a scrape of many workers may take on a machine that is busy with other things."""


def shows(text: str) -> str:
    """An expression that is true once the page shows a text."""
    return f"document.querySelector('main').innerText.includes({text!r})"


def test_a_change_appears_without_a_reload_and_disturbs_nobody(chromium: Chromium, bare: Rollcall) -> None:
    chromium.open(bare.url)
    chromium.evaluate("void (window.here = true)")
    workers = f"{bare.url}/v1/agl/workers"
    assert post(f"{workers}/first", {}).status == 200
    chromium.until(shows("first"))
    chromium.tell("fill", selector="input[name=q]", text="half a na")
    chromium.evaluate("document.querySelector('#workers tbody a').focus()")
    assert post(f"{workers}/first/dequeue", {"claimed": True, "rollout_id": "ro-7", "attempt_id": "at-8"}).status == 200
    chromium.until(shows("ro-7"))
    assert chromium.texts("#workers tbody .badge") == ["busy"]
    assert chromium.evaluate("document.activeElement.innerText") == "first"
    assert chromium.evaluate("document.querySelector('input[name=q]').value") == "half a na"
    assert chromium.evaluate("window.here")
    assert chromium.problems == []


@pytest.mark.promise("Clients", "The status page of 10,000 workers is there at once, and holds up no scrape")
def test_many_workers_make_a_page_of_some_rows(chromium: Chromium, bare: Rollcall, measured: Measured) -> None:
    beats = {f"w-{number:05}": None for number in range(WORKERS)}
    assert post(f"{bare.url}/v1/agl/workers/heartbeats", {"heartbeats": beats}).status == 200
    wait_until(lambda: bare.get("/api/v1/status?limit=1").json()["of"]["workers"] >= WORKERS, "all workers")
    chromium.open(bare.url)
    took = [chromium.tell("go", url=f"{bare.url}/?sort_workers=-worker")["milliseconds"] for _ in range(3)]
    assert chromium.texts("#workers tbody th")[0] == "w-09999"
    assert len(chromium.texts("#workers tbody tr")) == 100
    chromium.tell("click", selector="#workers nav a[rel=next]")
    assert chromium.texts("#workers tbody th")[0] == "w-09899"
    assert chromium.barriers() == []
    assert chromium.problems == []
    with ThreadPoolExecutor(PAGES) as pool:
        pages = [pool.submit(bare.get, "/") for _ in range(3 * PAGES)]
        scrapes = [_milliseconds(lambda: bare.get("/metrics")) for _ in range(3)]
        assert {each.result().status for each in pages} == {200}
    assert max(min(took), *scrapes) < GENEROUS
    measured("a page, with all that it loads", min(took) / 1000, "s")
    measured(f"slowest scrape while {PAGES} pages are being made", max(scrapes) / 1000, "s")


def _milliseconds(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return (time.monotonic() - started) * 1000


def test_the_page_says_when_nobody_answers(chromium: Chromium, bare: Rollcall) -> None:
    chromium.open(bare.url)
    bare.end()
    chromium.until("document.getElementById('live').innerText.startsWith('No answer from the exporter')")
    assert all("net::ERR_" in each for each in chromium.problems)

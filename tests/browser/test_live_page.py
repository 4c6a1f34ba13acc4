"""The status page while the fleet changes: what changes appears by itself, the rest stays as a person left it."""

from __future__ import annotations

from tests.browser.chromium import Chromium
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import post

WORKERS = 10_000
BATCH = 2_000

GENEROUS = 10_000.0
"""Milliseconds that a page of many workers may take on a machine that is busy with other things."""


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


def test_many_workers_make_a_page_of_some_rows(chromium: Chromium, bare: Rollcall) -> None:
    for start in range(0, WORKERS, BATCH):
        beats = {f"w-{number:05}": None for number in range(start, start + BATCH)}
        assert post(f"{bare.url}/v1/agl/workers/heartbeats", {"heartbeats": beats}).status == 200
    wait_until(lambda: bare.get("/api/v1/status?limit=1").json()["of"]["workers"] >= WORKERS, "all workers")
    chromium.open(bare.url)
    took = [chromium.tell("go", url=f"{bare.url}/?sort_workers=-worker")["milliseconds"] for _ in range(5)]
    assert chromium.texts("#workers tbody th")[0] == "w-09999"
    assert len(chromium.texts("#workers tbody tr")) == 100
    assert min(took) < GENEROUS
    chromium.tell("click", selector="#workers nav a[rel=next]")
    assert chromium.texts("#workers tbody th")[0] == "w-09899"
    assert chromium.barriers() == []
    assert chromium.problems == []


def test_the_page_says_when_nobody_answers(chromium: Chromium, bare: Rollcall) -> None:
    chromium.open(bare.url)
    bare.end()
    chromium.until("document.getElementById('live').innerText.startsWith('No answer from the exporter')")
    assert all("net::ERR_" in each for each in chromium.problems)

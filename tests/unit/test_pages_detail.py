"""The page of one node or worker, and what the site does when too many pages are asked for."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.explain.lookup import answered
from exporter.overview import NodeRow, Overview, WorkerRow
from exporter.pages.cells import lasting
from exporter.pages.site import RENDERED, Site
from exporter.records.evidence import NodeEvidence
from exporter.records.worker_evidence import Transition, WorkerEvidence
from tests.unit.asgi import ask

NOW = 1_800_000_000.0

NODES = (
    NodeRow(
        fleet="eu",
        node="a",
        state="serving",
        standing="confirmed",
        reason="stage_ready",
        reported="standby",
        hostname="alpha",
        models=("qwen", "gemma"),
        vram_bytes=24e9,
        peers=("b/2", "left"),
    ),
    NodeRow(fleet="eu", node="b/2", state="standby", standing="confirmed", hostname="beta"),
    NodeRow(fleet="us", node="a", state="client", standing="confirmed", models=("another",)),
)
WORKERS = (
    WorkerRow(
        fleet="eu", worker="w", status="busy", cpu_usage_ratio=0.5, memory_used_bytes=1e9, memory_total_bytes=4e9
    ),
)


def overview() -> Overview:
    return Overview(at=NOW, version="1", nodes=NODES, workers=WORKERS)


def facts(text: str) -> dict[str, str]:
    """What the page says, by name."""
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))


def page(kind: str, said: NodeEvidence | WorkerEvidence) -> str:
    """The page of what is explained so."""
    site = Site(overview, {kind: lambda name, fleet: answered(200, said)})
    answer = ask(site, f"/{kind}/a")
    assert answer.status == 200
    return answer.body.decode()


def test_a_node_has_its_models_and_links_beside_its_explanation() -> None:
    said = NodeEvidence(fleet="eu", node="a", at=NOW, judged_seconds_ago=1, hostname="alpha", state="serving")
    told = facts(page("nodes", said))
    assert (told["models"], told["VRAM"]) == ("qwen, gemma", "24.0 GB")
    assert told["peers"] == '<a href="/nodes/b%2F2?fleet=eu">beta</a>'
    stranger = facts(page("nodes", NodeEvidence(fleet="eu", node="z", at=NOW, judged_seconds_ago=1, state="serving")))
    assert stranger.keys().isdisjoint({"models", "VRAM", "peers"})


@pytest.mark.parametrize(("present", "word"), [(False, "gone"), (True, "stale"), (None, "stale")])
def test_a_node_without_a_state_is_called_as_the_command_calls_it(present: bool | None, word: str) -> None:
    text = page("nodes", NodeEvidence(fleet="eu", node="z", at=NOW, judged_seconds_ago=1, present=present))
    assert f'<span class="badge {word}">{word}</span>' in text


def test_who_is_not_confirmed_says_so_beside_the_state() -> None:
    said = NodeEvidence(fleet="eu", node="a", at=NOW, judged_seconds_ago=1, state="serving", standing="ghost")
    assert '<span class="badge ghost">ghost</span>' in page("nodes", said)


def test_a_worker_has_its_last_change_first() -> None:
    changes = (Transition(NOW - 60, None, "idle"), Transition(NOW - 5, "idle", "busy"))
    said = WorkerEvidence(
        fleet="eu", worker="w", at=NOW, status="busy", transitions=changes, transitions_since=NOW - 60
    )
    text = page("workers", said)
    assert (facts(text)["CPU"], facts(text)["memory"]) == ("50 %", "1.0 GB of 4.0 GB")
    assert re.findall(r"<td>(idle|busy|not there)</td>", text) == ["idle", "busy", "not there", "idle"]
    lost = page("workers", WorkerEvidence(fleet="eu", worker="w", at=NOW, forgotten=True))
    assert '<span class="badge forgotten">forgotten</span>' in lost


def test_a_column_of_what_few_have_is_there_where_somebody_has_it() -> None:
    def headings(*rows: WorkerRow) -> list[str]:
        shown = Overview(at=NOW, version="1", workers=rows, of={"workers": len(rows)})
        return re.findall(r'id="workers-by-\d+">([^<]*)', ask(Site(lambda: shown, {}), "/").body.decode())

    plain = WorkerRow(fleet="eu", worker="w", status="idle")
    busy = WorkerRow(fleet="eu", worker="v", status="busy", gpu_utilization_ratio=0.9, gpu_memory_used_bytes=1e9)
    odd = WorkerRow(fleet="eu", worker="u", status="busy", inconsistencies=("shared_id",))
    assert set(headings(plain, busy)) - set(headings(plain)) == {"GPU", "GPU memory"}
    text = ask(Site(lambda: Overview(at=NOW, version="1", workers=(odd, busy)), {}), "/").body.decode()
    assert 'title="heartbeats under this id come from several hosts, or clocks, by turns">–<small>shared_id<' in text
    assert re.search(r'<td class="number">90 %</td>\s*<td class="number">1.0 GB</td>', text)


def test_a_table_says_which_rule_gave_a_state_and_which_word_it_overrides() -> None:
    text = ask(Site(overview, {}), "/?q=alpha").body.decode()
    assert ">stage_ready<small>reported standby</small>" in text
    assert 'title="it holds a ready stage of a split model: what would be standby is serving"' in text
    assert '<tr data-key="/nodes/a?fleet=eu">' in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (0.0, "0.0s"), (0.0123, "12 ms"), (1.0, "1.0s"), (90.0, "1m30s")]
)
def test_how_long_something_took(seconds: float | None, text: str) -> None:
    assert lasting(seconds).text == text


def test_beyond_a_few_at_a_time_a_page_is_refused_at_once() -> None:
    inside, go_on = threading.Semaphore(0), threading.Event()

    def slow() -> Overview:
        inside.release()
        assert go_on.wait(60)
        return overview()

    site = Site(slow, {})
    with ThreadPoolExecutor(RENDERED) as pool:
        asked = [pool.submit(ask, site, "/") for _ in range(RENDERED)]
        for _ in range(RENDERED):
            assert inside.acquire(timeout=60)
        refused = ask(site, "/")
        style = ask(site, "/static/status.css")
        go_on.set()
        assert [each.result().status for each in asked] == [200] * RENDERED
    assert (refused.status, "ask again in a moment" in refused.body.decode()) == (503, True)
    assert style.status == 200

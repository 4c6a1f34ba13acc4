"""The status page and its neighbours, without a server: what they say, escape, link to and refuse."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from exporter.explain.lookup import answered
from exporter.overview import FleetRow, NodeRow, Overview, SourceRow, WakeableRow, WorkerRow
from exporter.pages.drawing import MOST, drawn
from exporter.pages.site import Site
from exporter.records.evidence import Flags, NodeEvidence, NodeName, ObservedView, Unexplained
from exporter.records.worker_evidence import Sign, Transition, WorkerEvidence
from tests.unit.asgi import Answered, ask

NOW = 1_800_000_000.0
EVIL = '"><script>alert(1)</script>'

FLAGS = Flags(False, True, True, True, True, True, True)
VIEW = ObservedView(
    observer=EVIL,
    observer_hostname=None,
    source="a:3131",
    own=False,
    chosen=True,
    fresh=True,
    age_seconds=1.0,
    hostname=None,
    role=None,
    version=None,
    word="serving",
    flags=FLAGS,
    state="serving",
    reason="word",
    rule="the word",
    drift=False,
    latency=None,
    rtt_seconds=None,
    dissent=None,
)


def explain(name: str, fleet: str | None) -> tuple[int, bytes]:
    if name == "two":
        both = (NodeName("eu", "a/b", "two"), NodeName("us", "c", "two"))
        return answered(409, Unexplained(error="expected one", candidates=both))
    if name != "a/b":
        return answered(404, Unexplained(error=f"expected a node, got {name!r}"))
    return answered(
        200,
        NodeEvidence(
            fleet="eu", node="a/b", at=NOW, judged_seconds_ago=1, hostname=EVIL, state="serving", views=(VIEW,)
        ),
    )


def explain_worker(name: str, fleet: str | None) -> tuple[int, bytes]:
    sign = Sign(what="heartbeat", at=NOW, age_seconds=90.0, counts=True, newest=True)
    changes = (Transition(NOW, "busy", "unknown"),)
    said = {"status": "unknown", "signs": (sign,), "transitions": changes, "transitions_since": NOW, "word": "busy"}
    return answered(200, WorkerEvidence(fleet=fleet or "eu", worker=name, at=NOW, **said))


def overview() -> Overview:
    return Overview(
        at=NOW,
        version="1",
        fleets=(
            FleetRow(fleet="eu", nodes={"serving": 2}, workers={"unknown": 1}, sources=1, sources_down=1),
            FleetRow(fleet=EVIL, wakeable={"sleeping": 1}),
        ),
        nodes=(
            NodeRow(fleet="eu", node="a", state="serving", standing="confirmed", peers=("b",), since=NOW - 60),
            NodeRow(
                fleet="eu", node="b", state="standby", standing="ghost", peers=("a", "zz"), models=("m", "n", "o", "p")
            ),
        ),
        workers=(
            *(WorkerRow(fleet="eu", worker=f"w-{n}", status="idle") for n in range(250)),
            WorkerRow(fleet="eu", worker=EVIL, status="unknown", reason="silent", memory_used_bytes=1e9),
        ),
        wakeable=(
            WakeableRow(fleet=EVIL, logical_id=EVIL, state="waking", wake_eta_seconds=1, wake_duration_seconds=2),
        ),
        sources=(SourceRow(fleet="eu", source="a:3131", kind="mesh-llm", up=False, result="timeout"),),
    )


SITE = Site(overview, {"nodes": explain, "workers": explain_worker})


def get(path: str) -> Answered:
    assert SITE.has(path.partition("?")[0])
    return ask(SITE, path)


class Read(HTMLParser):
    """Checks that tags are closed, ids are unique, and gathers links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.ids += [said["id"] or ""] if "id" in said else []
        self.links += [said[name] or "" for name in ("href", "src") if name in said]
        if tag not in ("meta", "link", "input", "circle", "line", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("circle", "line", "rect")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


PAGES = ["/", "/?fleet=eu&state=silent", "/?q=nobody", "/?page_workers=9", "/?fleet=nobody", "/?sort_workers=-since"]
PAGES += [
    "/nodes/a/b?fleet=eu",
    "/nodes/two",
    "/nodes/x%3Cb%3E",
    "/workers/w-1?fleet=eu",
    "/?limit=x",
    "/static/nothing",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_sound_and_leads_nowhere_else(path: str) -> None:
    answer = get(path)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    text = answer.body.decode()
    assert "<script>alert" not in text
    assert not re.search(r"\bstyle=|\bon\w+=|<style", text)
    assert [link for link in Read(text).links if not link.startswith(("/", "#")) or link.startswith("//")] == []


def test_the_page_says_what_matters_first() -> None:
    text = get("/").body.decode()
    assert "2 of 2 nodes serve; 1 of 1 workers are unknown; 1 could be woken; 1 of 1 sources are down." in text
    rows = re.findall(r'<th scope=row>(?:<span.*?</span>|<a href="[^"]+">)?([^<]*)', text)
    assert rows[:3] == ["b", "a", "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"]
    assert 'title="the newest evidence of life is older than the heartbeat timeout">silent' in text
    assert '<span class="badge overdue">waking, overdue</span>' in text
    assert "m, n, o +1" in text


def test_tables_are_shown_page_by_page_and_sorted_by_their_heads() -> None:
    text = get("/?sort_workers=worker&page_workers=2").body.decode()
    assert "101 to 200 of 251" in text
    assert 'href="/?sort_workers=worker&amp;page_workers=3#workers"' in text
    assert 'href="/?sort_workers=worker#workers"' not in text
    assert 'aria-sort="ascending"><a href="/?sort_workers=-worker#workers"' in text
    assert "There is no such page" in get("/?page_workers=9").body.decode()


def test_without_anything_it_says_where_it_looks() -> None:
    site = Site(lambda: Overview(at=NOW, version="1"), {})
    text = ask(site, "/").body.decode()
    assert "No source has answered yet." in text
    assert "port 3131" in text
    empty = Overview(at=NOW, version="1", fleets=(FleetRow(fleet="local", sources=1),))
    text = ask(Site(lambda: empty, {}), "/").body.decode()
    assert "Nobody is here yet." in text
    assert "port 3131" in text
    assert "port 3131" not in get("/").body.decode()


def test_a_node_and_a_worker_have_pages_that_explain_them() -> None:
    node = get("/nodes/a/b?fleet=eu")
    assert node.status == 200
    assert "/api/v1/nodes/a%2Fb?fleet=eu" in node.body.decode()
    assert "&lt;script&gt;" in node.body.decode()
    worker = get("/workers/w-1?fleet=eu").body.decode()
    assert "Changes of status" in worker
    assert '<span class="badge unknown">unknown</span>' in worker
    two = get("/nodes/two")
    assert (two.status, '<a href="/nodes/a%2Fb?fleet=eu">two (eu)</a>' in two.body.decode()) == (409, True)
    assert get("/nodes/x").status == 404


def test_the_same_as_json() -> None:
    said = json.loads(get("/api/v1/status?limit=3").body)
    assert [row["worker"] for row in said["workers"]] == [EVIL, "w-0", "w-1"]
    assert said["of"] == {"nodes": 2, "workers": 251, "wakeable": 1, "sources": 1}
    wrong = get("/api/v1/status?limit=-1")
    assert (wrong.status, json.loads(wrong.body)) == (
        400,
        {"error": "limit: expected a whole number from 1 to 100000, got '-1'"},
    )


@pytest.mark.parametrize("name", ["status.css", "status.js", "rollcall.svg"])
def test_what_pages_load_is_there(name: str) -> None:
    answer = get(f"/static/{name}")
    assert (answer.status, answer.headers["x-content-type-options"], bool(answer.body)) == (200, "nosniff", True)


@pytest.mark.parametrize("path", ["/metrics", "/nodes", "/nodesque/x", "/api/v1/nodes/x", "/static", "/workers"])
def test_other_paths_are_none_of_its_own(path: str) -> None:
    assert not SITE.has(path)


def test_a_drawing_has_each_link_once_and_nobody_who_left() -> None:
    rows = [NodeRow(fleet="eu", node=f"n{n}", state="serving", standing="confirmed", peers=("n0",)) for n in range(5)]
    drawing = drawn("eu", [*rows, NodeRow(fleet="eu", node="left", state="gone"), *rows[:0]])
    assert drawing is not None
    assert (len(drawing.dots), len(drawing.lines)) == (5, 4)
    assert "n1 is serving" in drawing.label
    assert drawn("us", rows) is None
    crowd = [NodeRow(fleet="eu", node=f"n{n}", state="serving") for n in range(MOST + 1)]
    assert getattr(drawn("eu", crowd), "left_out", 0) == MOST + 1

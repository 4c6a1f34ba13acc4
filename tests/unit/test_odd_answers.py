"""What an answer says that nobody should: it costs the one thing it is said of, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from exporter.records import Node
from exporter.records.reading import MeshReading
from exporter.sources.inventory import parse_json
from exporter.sources.lightning_workers import parse_workers
from exporter.sources.mesh_llm import parse
from exporter.sources.source import SourceError
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.reconcile import GHOST_AFTER


def status(**said: Any) -> MeshReading:
    return parse(json.dumps({"node_id": "a", "node_state": "standby", **said}).encode(), "eu")


@pytest.mark.parametrize(("word", "standing"), [("relayed", "unconfirmed"), ("unknown", "ghost"), (None, "ghost")])
def test_a_latency_word_that_nobody_knows_makes_no_ghost(word: str | None, standing: str) -> None:
    eu = Fleet("eu", WorkerRules(), Limits())
    reading = status(peers=[{"id": "b", "state": "serving", "rtt_ms": None, "latency_source": word}])
    for now in (0.0, GHOST_AFTER + 1):
        eu.receive("a:3131", reading, now + 15, now)
        nodes = eu.tables(now)[0][Node]
    assert {row.node: row.standing for row in nodes if isinstance(row, Node)} == {"a": "confirmed", "b": standing}
    assert reading.drift == ({"latency_source": 1} if word == "relayed" else {})
    assert [link.latency for link in reading.links] == ["unknown"]


@pytest.mark.parametrize("figure", [-1, -0.5, 1e308], ids=["less than none", "a little less", "more than can be"])
def test_figures_that_cannot_be_are_not_said(figure: float) -> None:
    reading = status(
        my_vram_gb=figure,
        gpus=[{"name": "x", "mem_bandwidth_gbps": figure}],
        peers=[{"id": "b", "vram_gb": figure, "rtt_ms": min(figure, -1), "latency_source": "direct"}],
        wakeable_nodes=[{"logical_id": "w", "vram_gb": figure, "wake_eta_secs": min(figure, -1)}],
    )
    own, peer = reading.sightings
    [wakeable], [gpu] = reading.wakeables, own.gpus
    assert (own.view.vram_bytes, peer.view.vram_bytes, wakeable.vram_bytes) == (None, None, None)
    assert (peer.view.rtt_seconds, reading.links[0].rtt_seconds) == (None, None)
    assert (gpu.name, gpu.memory_bandwidth_bytes_per_second, wakeable.wake_eta_seconds) == ("x", None, None)
    assert reading.drift == {"vram_gb": 3, "mem_bandwidth_gbps": 1, "rtt_ms": 1, "wake_eta_secs": 1}


def test_zero_is_a_figure() -> None:
    reading = status(
        my_vram_gb=0,
        gpus=[{"mem_bandwidth_gbps": 0}],
        peers=[{"id": "b", "rtt_ms": 0}],
        wakeable_nodes=[{"logical_id": "w", "wake_eta_secs": 0}],
    )
    own, peer = reading.sightings
    assert (own.view.vram_bytes, own.gpus[0].memory_bandwidth_bytes_per_second) == (0, 0)
    assert (peer.view.rtt_seconds, reading.wakeables[0].wake_eta_seconds, reading.drift) == (0, 0, {})


def test_who_has_no_name_is_left_out() -> None:
    reading = status(
        peers=[{"id": "", "state": "serving"}, {"id": "b"}], wakeable_nodes=[{"logical_id": ""}, {"logical_id": "w"}]
    )
    assert [sighting.view.node for sighting in reading.sightings] == ["a", "b"]
    assert [node.logical_id for node in reading.wakeables] == ["w"]
    assert reading.drift == {"peers": 1, "wakeable_nodes": 1}


LONE: dict[str, tuple[str, str]] = {
    "a high half": (r"x\ud800y", "x\ufffdy"),
    "a low half": (r"\uDC00", "\ufffd"),
    "at the end": (r"x\ud800", "x\ufffd"),
    "before another escape": (r"\ud800\n", "\ufffd\n"),
    "two high halves": (r"\ud800\ud801", "\ufffd\ufffd"),
    "the wrong way round": (r"\ude00\ud83d", "\ufffd\ufffd"),
    "a half before a pair": (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
    "a pair": (r"\ud83d\ude00\udfff", "\U0001f600\ufffd"),
    "after an escaped backslash": (r"\\ud800\\\ud800", "\\ud800\\\ufffd"),
    "beside other escapes": (r"\u0041\"\udbff\"", 'A"\ufffd"'),
}


@pytest.mark.parametrize(("escaped", "shown"), LONE.values(), ids=LONE)
def test_half_a_surrogate_pair_costs_only_itself(escaped: str, shown: str) -> None:
    reading = parse(b'{"node_id": "a", "peers": [{"id": "b", "hostname": "%s"}, {"id": "c"}]}' % escaped.encode(), "eu")
    assert [each.view.hostname for each in reading.sightings] == [None, shown, None]
    inventory = parse_json(
        b'[{"logical_id": "v", "provider": "%s"}, {"logical_id": "w"}]' % escaped.encode(), "eu", "i"
    )
    assert [each.provider for each in inventory.wakeables] == [shown, None]
    items = b'{"total": 1, "items": [{"worker_id": "%s", "status": "idle"}]}' % escaped.encode()
    assert [each.worker for each in parse_workers(items, "eu", Counter()).workers] == [shown]


BROKEN = {
    "no end": rb'{"node_id": "a\ud800',
    "a half too short": rb'{"node_id": "\ud80"}',
    "elsewhere": rb'{"node_id": "a", "x": "\ud800", }',
    "a backslash at the end": b'{"node_id": "\\ud800\\',
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_otherwise_stays_malformed(body: bytes) -> None:
    with pytest.raises(SourceError, match=r"^expected a mesh-llm status, got no JSON$"):
        parse(body, "eu")


def test_a_mended_answer_may_have_another_shape() -> None:
    with pytest.raises(SourceError, match="got another shape: Expected `str`, got `int`"):
        parse(rb'{"x": "\ud800", "node_id": 7}', "eu")

"""A mesh-llm console's payload: units, names, what is left out, and what is malformed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.endpoint import parse_url
from exporter.records.reading import MeshReading
from exporter.sources.fetch import Resolver
from exporter.sources.mesh_llm import LATENCIES, MeshConsole, parse
from exporter.sources.source import Deadline, Pace, SourceError
from exporter.state.mesh_tables import drift_of
from tests.unit.loopback import Loopback, answer, sends

ME = "00000000aa"


def status(**said: Any) -> MeshReading:
    return parse(json.dumps({"node_id": ME, **said}).encode(), "eu")


def own(**said: Any) -> Any:
    return status(**said).sightings[0]


def peer(**said: Any) -> Any:
    return status(peers=[{"id": "b", **said}]).sightings[1]


def test_an_id_is_all_that_a_status_needs() -> None:
    reading = status()
    assert (reading.observer, len(reading.sightings), reading.drift) == (ME, 1, {})
    view = reading.sightings[0].view
    assert (view.own, view.word, view.llama_ready, view.vram_bytes) == (True, None, None, None)
    assert (view.inflight_requests, view.requests_success, view.requests_failure) == (None, None, None)


VRAM = {
    "a budget": (18.957376512, 18957376512.0),
    "an H100": (85.520809984, 85520809984.0),
    "a whole number": (6, 6e9),
    "zero": (0.0, 0.0),
    "more bytes than a float holds": (1e308, None),
    "not said": (None, None),
}


@pytest.mark.parametrize(("gigabytes", "expected"), VRAM.values(), ids=VRAM)
def test_vram_is_in_units_of_10_to_the_9_and_exact_to_the_byte(gigabytes: float | None, expected: float | None) -> None:
    assert own(my_vram_gb=gigabytes).view.vram_bytes == expected
    assert peer(vram_gb=gigabytes).view.vram_bytes == expected
    reading = status(wakeable_nodes=[{"logical_id": "w", "vram_gb": gigabytes, "wake_eta_secs": 90}])
    assert (reading.wakeables[0].vram_bytes, reading.wakeables[0].wake_eta_seconds) == (expected, 90.0)


NAMES = {"none": (None, False), "empty": ("", False), "standby": ("(standby)", False), "client": ("(client)", False)}
NAMES |= {"a model": ("qwen3-32b", True), "a path": ("/models/a.gguf", True)}


@pytest.mark.parametrize(("name", "expected"), NAMES.values(), ids=NAMES)
def test_display_names_without_a_model(name: str | None, expected: bool) -> None:
    assert own(model_name=name).view.has_model is expected


ACTIVITY: dict[str, tuple[dict[str, Any], bool]] = {
    "nothing": ({}, False),
    "hosted": ({"hosted_models": ["m"]}, True),
    "runtime": ({"runtime": {"models": [{"name": "m", "status": "loading"}]}}, True),
    "an empty runtime": ({"runtime": {"models": []}}, False),
    "runtime not said": ({"runtime": None}, False),
    "assigned only": ({"serving_models": ["m"]}, False),
}


@pytest.mark.parametrize(("said", "expected"), ACTIVITY.values(), ids=ACTIVITY)
def test_local_activity(said: dict[str, Any], expected: bool) -> None:
    assert own(**said).view.has_activity is expected


PATHS = [
    "/a.gguf",
    "~/a.gguf",
    "\\\\share\\a.gguf",
    "C:\\a.gguf",
    "d:/a.gguf",
    "",
    "C:x.gguf",
    "./x.gguf",
    "../x",
    "..",
]
PATHS += [
    " /etc/passwd",
    "\n/etc",
    "\u200b\t~/x",
    "\u00a0",
    "a/../../etc/passwd",
    "..\\x",
    "file:///home/me/x.gguf",
    "FILE:x",
]
NAMED = ["m", "org/m:Q4", "org/model-GGUF:Q4", "org/repo/model-Q4.gguf", ".hidden", "v1..2", "two words"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("relation", ["available", "requested", "serving", "hosted"])
def test_a_path_never_becomes_a_model(relation: str, path: str) -> None:
    lists = {f"{relation}_models": [path, "m", *NAMED]}
    expected = [(name, relation) for name in NAMED]
    for sighting in (own(**lists), peer(**lists)):
        assert [(model.model, model.relation) for model in sighting.models] == expected
    reading = status(wakeable_nodes=[{"logical_id": "w", "models": [path, "m"]}])
    assert [model.model for model in reading.wakeable_models] == ["m"]


LATENCY: dict[str, tuple[dict[str, Any], str | None, float | None, int]] = {
    "direct": ({"rtt_ms": 2, "latency_source": "direct"}, "direct", 0.002, 0),
    "estimated": ({"rtt_ms": None, "latency_source": "estimated"}, "estimated", None, 0),
    "unknown": ({"rtt_ms": None, "latency_source": "unknown"}, "unknown", None, 0),
    "an old payload, measured": ({"rtt_ms": 7.5}, "direct", 0.0075, 0),
    "an old payload, not measured": ({}, None, None, 0),
    "another word": ({"latency_source": "guessed"}, "unrecognised", None, 1),
}


@pytest.mark.parametrize(("said", "latency", "rtt", "drift"), LATENCY.values(), ids=LATENCY)
def test_latency(said: dict[str, Any], latency: str | None, rtt: float | None, drift: int) -> None:
    reading = status(peers=[{"id": "b", **said}])
    view, link = reading.sightings[1].view, reading.links[0]
    assert (view.latency, view.rtt_seconds) == (latency, rtt)
    shown = latency if latency in LATENCIES else "unknown"
    assert (link.node, link.peer, link.latency, link.rtt_seconds) == (ME, "b", shown, rtt)
    assert reading.drift.get("latency_source", 0) == drift


REQUESTS: dict[str, tuple[dict[str, Any], int | None, int | None]] = {
    "all good": ({"request_count": 9, "successful_requests": 9}, 9, 0),
    "some failed": ({"request_count": 12, "successful_requests": 9}, 9, 3),
    "total not said": ({"successful_requests": 9}, 9, None),
    "successes not said": ({"request_count": 12}, None, None),
    "more successes than requests": ({"request_count": 3, "successful_requests": 5}, 5, 0),
}


@pytest.mark.parametrize(("said", "success", "failure"), REQUESTS.values(), ids=REQUESTS)
def test_requests_by_outcome(said: dict[str, Any], success: int | None, failure: int | None) -> None:
    view = own(routing_metrics=said).view
    assert (view.requests_success, view.requests_failure) == (success, failure)


def test_gpus_keep_their_position_when_one_is_malformed() -> None:
    gpus = [{"name": "H100", "vram_bytes": 80, "reserved_bytes": 1, "mem_bandwidth_gbps": 3350.0}, 5, {"name": "T4"}]
    reading = status(gpus=gpus)
    first, second = reading.sightings[0].gpus
    assert (first.gpu, first.name, first.memory_bytes, first.memory_reserved_bytes) == ("0", "H100", 80, 1)
    assert first.memory_bandwidth_bytes_per_second == 3350e9
    assert (second.gpu, second.name, second.memory_bytes) == ("2", "T4", None)
    assert reading.drift == {"gpus": 1}


PEERS: dict[str, tuple[list[Any], list[str], int]] = {
    "each once": ([{"id": "b"}, {"id": "c"}], ["b", "c"], 0),
    "the first of two with one id": ([{"id": "b", "role": "Host"}, {"id": "b", "role": "Client"}], ["b"], 1),
    "never the console itself": ([{"id": ME}], [], 1),
    "no id": ([{"role": "Host"}, {"id": "b"}], ["b"], 1),
    "an empty id": ([{"id": "", "state": "serving"}, {"id": "b"}], ["b"], 1),
    "not an object": ([None, 5, "x", [], {"id": "b"}], ["b"], 4),
    "a field of another type": ([{"id": "b", "serving_models": "m"}, {"id": "c"}], ["c"], 1),
}


@pytest.mark.parametrize(("peers", "left", "drift"), PEERS.values(), ids=PEERS)
def test_a_malformed_peer_costs_nobody_else_theirs(peers: list[Any], left: list[str], drift: int) -> None:
    reading = status(peers=peers)
    assert [sighting.view.node for sighting in reading.sightings[1:]] == left
    assert [link.peer for link in reading.links] == left
    assert reading.drift.get("peers", 0) == drift


def test_drift_counts_what_rules_do_not_know_too() -> None:
    reading = status(
        node_state="dancing",
        is_host=True,
        peers=[{"id": "b", "state": "napping"}, {"id": "c", "state": "serving"}, 7],
        wakeable_nodes=[{"logical_id": "w", "state": "gone"}, {"logical_id": "x"}, {"logical_id": "w"}, {}],
    )
    assert drift_of(reading) == {"node_state": 2, "peers": 1, "wakeable_nodes": 2, "wakeable_state": 1}


MALFORMED = {
    "empty": (b"", "expected a mesh-llm status, got no JSON"),
    "HTML": (b"<html>404</html>", "expected a mesh-llm status, got no JSON"),
    "truncated": (b'{"node_id": "a", "peers": [', "expected a mesh-llm status, got no JSON"),
    "two documents": (b'{"node_id": "a"} {}', "expected a mesh-llm status, got no JSON"),
    "no UTF-8": (b'{"node_id": "\xff"}', "expected a mesh-llm status, got no JSON"),
    "lone surrogate": (b'{"node_id": "\\ud800"', "expected a mesh-llm status, got no JSON"),
    "NaN": (b'{"node_id": "a", "my_vram_gb": NaN}', "expected a mesh-llm status, got no JSON"),
    "too deep": (b'{"node_id":"a","x":' + b"[" * 100_000, "expected a mesh-llm status, got JSON nested too deep"),
    "a list": (b"[]", "got another shape: Expected `object`, got `array`"),
    "no id": (b"{}", "got another shape: Object missing required field `node_id`"),
    "id null": (b'{"node_id": null}', "got another shape: Expected `str`, got `null` - at `$.node_id`"),
    "id empty": (b'{"node_id": ""}', "got another shape: Expected `str` of length >= 1 - at `$.node_id`"),
    "id a number": (b'{"node_id": 7}', "got another shape: Expected `str`, got `int` - at `$.node_id`"),
    "flag a string": (b'{"node_id": "a", "is_host": "yes"}', "Expected `bool | null`, got `str` - at `$.is_host`"),
    "peers an object": (b'{"node_id": "a", "peers": {}}', "Expected `array | null`, got `object` - at `$.peers`"),
    "10**400 requests": (b'{"node_id": "a", "inflight_requests": 1%s}' % (b"0" * 400), "expected a mesh-llm status"),
    "negative requests": (b'{"node_id": "a", "inflight_requests": -1}', "Expected `int` >= 0"),
    "1e400 GB": (b'{"node_id": "a", "my_vram_gb": 1e400}', "expected a mesh-llm status"),
}


@pytest.mark.parametrize(("body", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_envelope_is_an_error_that_names_what_was_expected(body: bytes, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(body, "eu")
    assert caught.value.result == "malformed"
    assert message in str(caught.value)


def test_an_error_never_quotes_the_payload() -> None:
    body = b'{"token": "SECRET-TOKEN-CANARY", "node_id": 7, "is_host": "SECRET-TOKEN-CANARY"}'
    with pytest.raises(SourceError) as caught:
        parse(body, "eu")
    assert "CANARY" not in str(caught.value)


def test_a_console_is_asked_for_its_status_first_and_never_for_another_port() -> None:
    with Loopback(sends(answer(b'{"node_id": "a"}'))) as upstream:
        source = MeshConsole(
            "eu",
            parse_url(f"http://127.0.0.1:{upstream.port}/proxied", 3131),
            Resolver(),
            Pace(5, 20, 15),
            start=lambda _, work: work(),
        )
        assert source.read(Deadline(20)).observer == "a"
        assert source.name == f"127.0.0.1:{upstream.port}/proxied"
        paths = ["status", "runtime/llama", "model-targets"]
        assert [head.partition(" HTTP")[0] for head in upstream.heads] == [f"GET /proxied/api/{path}" for path in paths]


def test_null_is_not_said() -> None:
    nothing = dict.fromkeys(
        ("peers", "gpus", "wakeable_nodes", "serving_models", "hosted_models", "runtime", "is_host")
    )
    reading = parse(json.dumps({"node_id": "n", **nothing, "runtime": {"models": None}}).encode(), "eu")
    [own] = reading.sightings
    assert (own.view.is_host, own.view.serving, own.view.has_activity, own.models, own.gpus) == (False,) * 3 + ((), ())
    assert reading.drift == {}


def test_less_than_no_memory_is_drift_and_not_said() -> None:
    body = {"node_id": "n", "my_vram_gb": -5, "peers": [{"id": "p", "vram_gb": -0.5}, {"id": "q", "vram_gb": 2}]}
    reading = parse(json.dumps(body).encode(), "eu")
    assert [sighting.view.vram_bytes for sighting in reading.sightings] == [None, None, 2e9]
    assert reading.drift == {"vram_gb": 2}

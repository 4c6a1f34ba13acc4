"""The state of a node from one view of it, and of a wakeable node: every row of the rules of mesh-llm 0.66.0."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.records import NODE_STATES, NodeView
from exporter.state.mesh import NodeVerdict, node_state, wakeable_state


def own(**said: Any) -> NodeView:
    return NodeView(fleet="eu", observer="a", node="a", own=True, **said)


def peer(**said: Any) -> NodeView:
    return NodeView(fleet="eu", observer="a", node="b", own=False, **said)


HOST = {"is_host": True, "has_model": True}
ACTIVE = {"has_activity": True, "has_model": True}
OWN_RULE = {
    "client": (own(is_client=True, llama_ready=True), "client", "is_client"),
    "client before any work": (own(is_client=True, llama_ready=True, **HOST), "client", "is_client"),
    "ready host": (own(llama_ready=True, **HOST), "serving", "work_ready"),
    "ready local worker": (own(llama_ready=True, **ACTIVE), "serving", "work_ready"),
    "host not ready": (own(llama_ready=False, **HOST), "loading", "work_not_ready"),
    "local worker not ready": (own(llama_ready=False, **ACTIVE), "loading", "work_not_ready"),
    "host, readiness not said": (own(**HOST), "loading", "work_not_ready"),
    "host without a model name": (own(is_host=True, llama_ready=True), "standby", "no_work"),
    "activity without a model name": (own(has_activity=True, llama_ready=True), "standby", "no_work"),
    "model name without host or activity": (own(has_model=True, llama_ready=True), "standby", "no_work"),
    "nothing": (own(llama_ready=True), "standby", "no_work"),
    "nothing said at all": (own(), "standby", "no_work"),
    "assigned and not ready": (own(serving=True, llama_ready=False), "loading", "assigned_not_ready"),
    "assigned, with a ready stage": (
        own(serving=True, llama_ready=False, stage_ready=True),
        "serving",
        "stage_ready",
    ),
    "assigned and ready": (own(serving=True, llama_ready=True), "standby", "no_work"),
    "assigned, readiness not said": (own(serving=True), "standby", "no_work"),
    "assigned client is a client": (own(serving=True, llama_ready=False, is_client=True), "client", "is_client"),
}


@pytest.mark.parametrize(("view", "state", "reason"), OWN_RULE.values(), ids=OWN_RULE)
def test_own_view_without_a_word_follows_the_rule(view: NodeView, state: str, reason: str) -> None:
    assert node_state(view) == NodeVerdict(state, reason, reported=None, drift=False)


PEER_RULE = {
    "client": (peer(role="Client"), "client", "role_client"),
    "client before its models": (peer(role="Client", hosted=True, serving=True), "client", "role_client"),
    "hosts a model": (peer(role="Worker", hosted=True), "serving", "has_models"),
    "serves a model": (peer(role="Host", serving=True), "serving", "has_models"),
    "host without models": (peer(role="Host"), "standby", "no_models"),
    "worker without models": (peer(role="Worker"), "standby", "no_models"),
    "role not said": (peer(), "standby", "no_models"),
}


@pytest.mark.parametrize(("view", "state", "reason"), PEER_RULE.values(), ids=PEER_RULE)
def test_peer_without_a_word_follows_the_rule(view: NodeView, state: str, reason: str) -> None:
    assert node_state(view) == NodeVerdict(state, reason, reported=None, drift=False)


AGREEING = {
    "client": own(is_client=True),
    "standby": own(llama_ready=True),
    "loading": own(llama_ready=False, **HOST),
    "serving": own(llama_ready=True, **HOST),
}


@pytest.mark.parametrize("word", NODE_STATES)
@pytest.mark.parametrize("flags", NODE_STATES)
def test_own_word_stands_and_contradicting_flags_are_drift(word: str, flags: str) -> None:
    view = NodeView(**{**_fields(AGREEING[flags]), "word": word})
    assert node_state(view) == NodeVerdict(word, "reported", reported=None, drift=word != flags)


@pytest.mark.parametrize("word", NODE_STATES)
@pytest.mark.parametrize("view", [case[0] for case in PEER_RULE.values()], ids=PEER_RULE)
def test_peers_word_stands_and_is_never_drift(word: str, view: NodeView) -> None:
    assert node_state(NodeView(**{**_fields(view), "word": word})) == NodeVerdict(word, "reported")


def test_own_standby_with_a_model_to_load_is_loading_and_keeps_the_word() -> None:
    view = own(word="standby", serving=True, llama_ready=False)
    assert node_state(view) == NodeVerdict("loading", "assigned_not_ready", reported="standby", drift=False)


def test_own_standby_with_a_ready_stage_of_a_split_model_is_serving_and_keeps_the_word() -> None:
    view = own(word="standby", serving=True, llama_ready=False, stage_ready=True)
    assert node_state(view) == NodeVerdict("serving", "stage_ready", reported="standby", drift=False)


NOT_CORRECTED = {
    "a stage without an assignment": own(word="standby", llama_ready=False, stage_ready=True),
    "ready": own(word="standby", serving=True, llama_ready=True),
    "readiness not said": own(word="standby", serving=True),
    "nothing assigned": own(word="standby", llama_ready=False),
    "a peer": peer(word="standby", serving=True),
}


@pytest.mark.parametrize("view", NOT_CORRECTED.values(), ids=NOT_CORRECTED)
def test_standby_stands_otherwise(view: NodeView) -> None:
    assert node_state(view) == NodeVerdict("standby", "reported")


@pytest.mark.parametrize("word", ["client", "loading", "serving"])
def test_only_standby_is_corrected(word: str) -> None:
    verdict = node_state(own(word=word, serving=True, llama_ready=False))
    assert (verdict.state, verdict.reason, verdict.reported) == (word, "reported", None)


@pytest.mark.parametrize("word", ["", "Serving", "SERVING ", "offline", "sleeping", "none"])
@pytest.mark.parametrize("view", [case[0] for case in (*OWN_RULE.values(), *PEER_RULE.values())])
def test_a_word_that_is_no_state_is_drift_and_falls_back_to_the_rule(word: str, view: NodeView) -> None:
    ruled = node_state(view)
    assert node_state(NodeView(**{**_fields(view), "word": word})) == ruled._replace(drift=True)


WAKEABLE = {
    "sleeping": ("sleeping", ("sleeping", "reported")),
    "waking": ("waking", ("waking", "reported")),
    "not said": (None, (None, "not_said")),
    "another word": ("hibernating", (None, "unrecognised")),
    "a state of nodes": ("standby", (None, "unrecognised")),
    "empty": ("", (None, "unrecognised")),
    "other case": ("Sleeping", (None, "unrecognised")),
}


@pytest.mark.parametrize(("word", "verdict"), WAKEABLE.values(), ids=WAKEABLE)
def test_wakeable_state(word: str | None, verdict: tuple[str | None, str]) -> None:
    assert wakeable_state(word) == verdict


def _fields(view: NodeView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in view.__struct_fields__}

"""What an inventory lists, as YAML and as JSON: units, defaults, what is left out, and its JSON Schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import Becomes, WakeableModel, WakeableNode
from exporter.records.reading import InventoryReading
from exporter.sources.inventory import SCHEMA, parse_json, parse_yaml
from exporter.sources.source import SourceError
from exporter.state.wakeable import drift_of

README = Path(__file__).parents[2] / "README.md"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))

FULL = """
- logical_id: h100-rack-1        # everything there is
  provider: aws
  models: [llama-3.3-70b, /models/local.gguf, llama-3.3-70b]
  vram_gb: 85.520809984
  state: waking
  wake_eta_secs: 240
  becomes: {hostname: gpu-07}
- {logical_id: old-box, becomes: {node: 00000000aa}}
"""


def both(said: Any) -> InventoryReading:
    """What a list gives, which must be the same as YAML and as JSON."""
    reading = parse_json(json.dumps(said).encode(), "eu", "inv")
    assert parse_yaml(yaml.safe_dump(said, allow_unicode=True), "eu", "inv") == reading
    return reading


def test_everything_that_an_entry_can_say() -> None:
    reading = parse_yaml(FULL, "eu", "wakeable.yaml")
    assert reading.wakeables == (
        WakeableNode("eu", "h100-rack-1", "aws", "wakeable.yaml", "waking", 85520809984.0, 240.0),
        WakeableNode("eu", "old-box", None, "wakeable.yaml", "sleeping", None, None),
    )
    assert reading.wakeable_models == (WakeableModel("eu", "h100-rack-1", "llama-3.3-70b"),)
    assert reading.becomes == {"h100-rack-1": Becomes(hostname="gpu-07"), "old-box": Becomes(node="00000000aa")}
    assert drift_of(reading) == {}


def test_an_empty_list_is_an_answer() -> None:
    assert both([]).wakeables == ()


ENTRIES: dict[str, tuple[Any, dict[str, int]]] = {
    "only an id": ({"logical_id": "a"}, {}),
    "nulls are not said": (
        {"logical_id": "a", "provider": None, "models": None, "vram_gb": None, "state": None, "becomes": None},
        {},
    ),
    "zero": ({"logical_id": "a", "vram_gb": 0, "wake_eta_secs": 0}, {}),
    "another field": ({"logical_id": "a", "rack": 7}, {}),
    "asleep": ({"logical_id": "a", "state": "sleeping"}, {}),
    "a word outside the set": ({"logical_id": "a", "state": "hibernating"}, {"wakeable_state": 1}),
    "less than no VRAM": ({"logical_id": "a", "vram_gb": -1}, {"vram_gb": 1}),
    "less than no time": ({"logical_id": "a", "wake_eta_secs": -0.5}, {"wake_eta_secs": 1}),
}
MALFORMED: dict[str, Any] = {
    "no id": {"provider": "aws"},
    "an empty id": {"logical_id": ""},
    "an id that is a number": {"logical_id": 17},
    "an id that is null": {"logical_id": None},
    "a provider that is a list": {"logical_id": "a", "provider": ["aws"]},
    "models that are a text": {"logical_id": "a", "models": "llama"},
    "a model that is a number": {"logical_id": "a", "models": [3]},
    "VRAM as text": {"logical_id": "a", "vram_gb": "640"},
    "VRAM that is true": {"logical_id": "a", "vram_gb": True},
    "a state that is a number": {"logical_id": "a", "state": 0},
    "becomes a text": {"logical_id": "a", "becomes": "gpu-07"},
    "becomes nothing": {"logical_id": "a", "becomes": {}},
    "becomes null": {"logical_id": "a", "becomes": {"hostname": None}},
    "becomes an empty name": {"logical_id": "a", "becomes": {"node": ""}},
    "becomes two": {"logical_id": "a", "becomes": {"hostname": "h", "node": "n"}},
    "a text": "a",
    "a list": ["a"],
    "null": None,
}


@pytest.mark.parametrize(("entry", "drift"), ENTRIES.values(), ids=ENTRIES)
def test_entries_that_are_kept(entry: Any, drift: dict[str, int]) -> None:
    reading = both([entry])
    assert [node.logical_id for node in reading.wakeables] == ["a"]
    assert drift_of(reading) == drift
    assert VALIDATOR.is_valid([entry]) == (not drift)


@pytest.mark.parametrize("entry", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_entry_is_left_out_and_never_the_rest(entry: Any) -> None:
    reading = both([{"logical_id": "before"}, entry, {"logical_id": "after"}])
    assert [node.logical_id for node in reading.wakeables] == ["before", "after"]
    assert drift_of(reading) == {"entries": 1}
    assert not VALIDATOR.is_valid([entry])


def test_of_two_entries_of_one_id_the_first_counts() -> None:
    reading = both([{"logical_id": "a", "vram_gb": 1}, {"logical_id": "a", "vram_gb": 2, "models": ["m"]}])
    assert [node.vram_bytes for node in reading.wakeables] == [1e9]
    assert (reading.wakeable_models, reading.drift) == ((), {"entries": 1})


INFINITE = {"beyond a float": "1e999", "infinity": ".inf", "no number": ".nan", "400 digits": "9" * 400}


@pytest.mark.parametrize("figure", INFINITE.values(), ids=INFINITE)
def test_figures_that_are_not_finite_are_not_said(figure: str) -> None:
    reading = parse_yaml(f"- {{logical_id: a, vram_gb: {figure}, wake_eta_secs: {figure}}}", "eu", "inv")
    node = reading.wakeables[0]
    assert (node.vram_bytes, node.wake_eta_seconds) == (None, None)
    assert reading.drift == {"vram_gb": 1, "wake_eta_secs": 1}


YAML = {
    "nothing": ("", "expected a list, got null (inv:1)"),
    "a comment": ("# soon\n", "expected a list, got null (inv:1)"),
    "a text": ("\nsoon", "expected a list, got 'soon' (inv:2)"),
    "a mapping": ("wakeable_nodes: []", "expected a list, got {..} (inv:1)"),
    "an alias": ("- &a {logical_id: x}\n- *a", "expected plain YAML, got an anchor (quote a text that starts with &)"),
    "a tag": ("- !!python/object:os.system {}", "expected plain YAML, got a tag (quote a text that starts with !)"),
    "a duplicate key": (
        "- logical_id: a\n  logical_id: b",
        "[0].logical_id: duplicate key, first given on line 1 (inv:2)",
    ),
    "two documents": ("- {logical_id: a}\n---\n[]", "expected one document, got a second one"),
    "broken": ("- {logical_id: a", "not valid YAML"),
    "a tower": ("[" * 20 + "]" * 20, "expected at most 16 levels, got more"),
    "a control character": ("- logical_id: '\x07'", "expected text, got the character U+0007"),
}


@pytest.mark.parametrize(("text", "message"), YAML.values(), ids=YAML)
def test_yaml_that_is_no_list(text: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_yaml(text, "eu", "inv")
    assert caught.value.result == "malformed"
    assert str(caught.value).startswith(message)


JSON = {
    "nothing": (b"", "expected a list, got no JSON"),
    "YAML": (b"- logical_id: a", "expected a list, got no JSON"),
    "a mapping": (b'{"wakeable_nodes": []}', "expected a list, got another shape: Expected `array`, got `object`"),
    "null": (b"null", "expected a list, got another shape: Expected `array`, got `null`"),
    "a tower": (b"[" * 100_000, "expected a list, got "),
}


@pytest.mark.parametrize(("body", "message"), JSON.values(), ids=JSON)
def test_json_that_is_no_list(body: bytes, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_json(body, "eu", "inv")
    assert caught.value.result == "malformed"
    assert str(caught.value).startswith(message)


NAME = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=4)
FIGURE = st.none() | st.integers(-1, 10**6) | st.floats(0, 1e9) | st.sampled_from([True, "1", 1e300, -1e-300])
ANY_ENTRY = st.fixed_dictionaries(
    {"logical_id": st.just("a") | NAME},
    optional={
        "provider": NAME | st.none() | st.just(7),
        "models": st.lists(NAME, max_size=2) | st.none() | NAME,
        "vram_gb": FIGURE,
        "state": st.sampled_from(["sleeping", "waking", "", "Waking", None, 1]),
        "wake_eta_secs": FIGURE,
        "becomes": st.none() | st.dictionaries(st.sampled_from(["hostname", "node", "port"]), NAME | st.none()),
    },
)


@given(ANY_ENTRY)
def test_the_schema_takes_what_is_read_without_drift_and_nothing_else(entry: dict[str, Any]) -> None:
    reading = parse_json(json.dumps([entry]).encode(), "eu", "inv")
    too_large = entry.get("vram_gb") == 1e300
    assert too_large or VALIDATOR.is_valid([entry]) == (not drift_of(reading))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(VALIDATOR.schema)
    VALIDATOR.validate(yaml.safe_load(FULL))


def test_the_readmes_inventory_is_sound() -> None:
    [example] = re.findall(r"```yml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    reading = parse_yaml(example, "eu", "inv")
    assert (len(reading.wakeables), len(reading.becomes), drift_of(reading)) == (1, 1, {})
    VALIDATOR.validate(yaml.safe_load(example))

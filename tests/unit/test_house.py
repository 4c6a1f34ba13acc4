"""The house rules that a machine can hold: sizes, names, the direction of imports, one declaration per metric."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from exporter.catalogue import PATH, markdown
from exporter.families import FAMILIES, LIVE, POLLED

ROOT = Path(__file__).parents[2]
EXPORTER = ROOT / "exporter"
SOURCES = sorted(EXPORTER.rglob("*.py"))
EVERYTHING = sorted(path for place in ("exporter", "grafana", "tests") for path in (ROOT / place).rglob("*.py"))

LAYERS = {
    "records": set(),
    "endpoint": set(),
    "families": {"records"},
    "sqlite": set(),
    "state": {"records", "sqlite"},
    "registry": {"records", "state", "sqlite", "isolate", "endpoint", "loopback", "http_protocol", "asgi"},
    "sources": {"records", "endpoint", "config", "sqlite"},
    "loopback": set(),
    "rules": {"config", "shipped"},
    "shipped": set(),
    "dashboards": {"shipped"},
    "healthcheck": set(),
    "config": {"endpoint", "loopback"},
    "isolate": {"records", "sources"},
    "collection": {"records", "sources", "isolate"},
    "health": {"records", "sources", "state", "isolate"},
    "exposition": {"records", "families"},
    "catalogue": {"families", "records"},
    "plan": {"config", "endpoint", "exposition", "families", "shard", "sources", "state"},
    "shard": {"config", "exposition", "families", "records"},
    "slot": {"health", "isolate", "sources"},
    "poller": {"records", "sources", "state", "exposition", "health", "isolate", "plan", "slot"},
    "reload": {"config", "isolate", "records"},
    "privacy": {"records", "sources"},
    "asking": {"endpoint", "explain", "overview", "sources"},
    "overview": {"endpoint", "explain", "exposition", "health", "records", "sources"},
    "pages": {"asgi", "bounded", "explain", "exposition", "overview", "records", "state"},
    "scrape": {"records", "families", "exposition", "collection"},
    "caps": set(),
    "http_protocol": {"caps"},
    "explain": {"records", "state", "exposition", "sources", "endpoint"},
    "bounded": set(),
    "asgi": set(),
    "web": {"asgi", "config", "endpoint", "http_protocol", "isolate", "records"},
    "server": {"asgi", "bounded", "exposition", "scrape", "http_protocol", "loopback"},
    "demo": {"config", "log"},
    "agent": {"config", "records", "endpoint", "sources", "isolate", "log"},
    "client": {"agent"},
    "log": set(),
}


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", EVERYTHING, ids=ids)
def test_no_file_over_300_lines_and_no_function_over_40(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 300
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, functions) and node.end_lineno and node.end_lineno - node.lineno >= 40
    ]
    assert not long


@pytest.mark.parametrize("path", EVERYTHING, ids=ids)
def test_no_empty_names(path: Path) -> None:
    assert not re.search(r"util|helper|(?<!alert)manager|\bbase\b|common|misc", path.stem)


@pytest.mark.parametrize("path", SOURCES, ids=ids)
def test_imports_point_one_way(path: Path) -> None:
    layer = path.relative_to(EXPORTER).with_suffix("").parts[0]
    if layer not in LAYERS:
        assert layer in ("cli", "serve", "enlist", "once", "__init__")
        return
    imported = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported |= {name.split(".")[1] for name in names if name.startswith("exporter.")}
    assert imported - {layer} <= LAYERS[layer]


def test_one_except_catches_everything() -> None:
    broad = [
        ids(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    ]
    assert broad == ["exporter/isolate.py"]


def test_a_metric_is_declared_once() -> None:
    assert [name for name, count in Counter(family.name for family in FAMILIES).items() if count > 1] == []
    assert set(POLLED) | set(LIVE) == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_declaration_is_sound(family) -> None:  # type: ignore[no-untyped-def]
    assert re.fullmatch(r"rollcall_[a-z0-9_]+", family.name)
    assert family.help.endswith(".")
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in family.labels)
    assert len(set(family.labels)) == len(family.labels)
    fields = set(family.record.__struct_fields__)
    match family.projection:
        case _ if hasattr(family.projection, "fields"):
            assert {field for _, field in family.projection.fields} <= fields
        case _:
            assert {
                family.projection.field or family.record.KEY[0],
                *getattr(family.projection, "labels", ()),
            } <= fields
    assert not {"source"} & set(family.labels) or family.name.startswith("rollcall_source_")


def test_the_catalogue_is_not_stale() -> None:
    assert (ROOT / PATH).read_text("utf-8") == markdown(), "run `make generate`"


def test_every_family_is_in_the_catalogue_once() -> None:
    rows = Counter(re.findall(r"^\| `(\w+)`", markdown(), re.MULTILINE))
    assert rows == Counter(family.name for family in FAMILIES)

"""docs/CONFIGURATION.md has every key that a file may have, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from exporter.config import ConfigError, parse
from exporter.config.reference import PARTS, markdown, names

WRONG = """
wrong: 1
web: {wrong: 1}
meshes: [{wrong: 1, tls_config: {wrong: 1}}]
stores: [{wrong: 1, tls_config: {wrong: 1}}]
inventories: [{wrong: 1, tls_config: {wrong: 1}}]
registry: {wrong: 1}
host: {wrong: 1}
gpu: {wrong: 1}
limits: {wrong: 1}
families: {wrong: 1}
"""
"""A key that nobody knows in every section: the message lists those that it may have."""


def accepted() -> set[str]:
    with pytest.raises(ConfigError) as raised:
        parse(WRONG, "rollcall.yaml", {}, Path.read_text)
    found = re.findall(r"^(?:(.+)\.)?wrong: unknown key, expected one of (.+) \(", str(raised.value), re.MULTILINE)
    keys = {f"{section}.{key}" if section else key for section, text in found for key in text.split(", ")}
    sections = {section for section, _ in found}
    lists = {section.partition("[")[0] for section in sections}
    return {key.replace("[0]", "[]") for key in keys - sections - lists}


def test_each_key_is_in_the_document() -> None:
    assert sorted(names()) == sorted(accepted())


def test_what_a_key_means_is_said() -> None:
    text = markdown()
    assert [key for part in PARTS for key in part.keys if not key.meaning or f"{key.name}`" not in text] == []
    assert "| `stores[].heartbeat_timeout` | duration | `45s` |" in text

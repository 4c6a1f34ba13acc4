"""Broken inventories, as files and as answers: an error of the envelope or drift, and never anybody else's loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.records import WAKEABLE_STATES
from exporter.records.reading import InventoryReading
from exporter.sources.inventory import InventoryFile, parse_json
from exporter.sources.source import Deadline, Pace, SourceError
from tests.fuzz.beside import Sick, attempt, exposed, lines_of
from tests.fuzz.conftest import Fuzz
from tests.fuzz.documents import documents
from tests.fuzz.payloads import broken, keys_of

GOOD = yaml.safe_load("""
- logical_id: h100-rack-1
  provider: aws
  models: [llama-3.3-70b, /models/local.gguf, llama-3.3-70b]
  vram_gb: 85.520809984
  state: waking
  wake_eta_secs: 240
  becomes: {hostname: gpu-07}
- {logical_id: old-box, becomes: {node: 00000000aa}, state: sleeping, vram_gb: 24}
""")
PACE = Pace(10.0, 5.0, 30.0)
ALONE = lines_of(exposed([]), "eu")
READABLE = 2
"""Of eight drawn inventories so many at least are read: else nothing but refusals is tried."""


def check(source: InventoryFile, read: Callable[[], Any]) -> bool:
    """The healthy fleet lost nothing, and what is listed is in at most one state; tells whether it was read."""
    found = attempt(read)
    text = exposed([Sick(source, [found])])
    assert lines_of(text, "eu") == ALONE
    states = [line for line in lines_of(text, "sick") if line.startswith("rollcall_wakeable_state{")]
    assert len(states) % len(WAKEABLE_STATES) == 0
    assert sum(line.endswith(" 1") for line in states) * len(WAKEABLE_STATES) <= len(states)
    if isinstance(found, SourceError):
        assert not states
    else:
        assert isinstance(found, InventoryReading)
        assert len(states) == len(found.wakeables) * len(WAKEABLE_STATES)
    return not isinstance(found, SourceError)


@pytest.mark.promise("Fuzzing", "A broken inventory file costs a healthy console no sample")
def test_files(fuzz: Fuzz, tmp_path: Path) -> None:
    path = tmp_path / "wakeable.yaml"
    tried: list[bool] = []

    def wrong(data: bytes) -> None:
        path.write_bytes(data)
        source = InventoryFile("sick", path, PACE)
        tried.append(check(source, lambda: source.read(Deadline(5.0))))

    fuzz(wrong, documents(GOOD), bounded=80)
    assert len(tried) > sum(tried) > len(tried) * READABLE / 8


@pytest.mark.promise("Fuzzing", "A broken answer of a server of inventories costs a healthy console no sample")
def test_answers(fuzz: Fuzz) -> None:
    source = InventoryFile("sick", Path("list"), PACE)
    tried: list[bool] = []

    def wrong(body: bytes) -> None:
        tried.append(check(source, partial(parse_json, body, "sick", "list")))

    fuzz(wrong, broken(GOOD, keys_of(GOOD)), bounded=80)
    assert len(tried) > sum(tried) > len(tried) * READABLE / 8

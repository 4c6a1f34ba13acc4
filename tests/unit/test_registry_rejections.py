"""The count of what the registry refused: every reason always, and no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.exposition import Exposition, Format
from exporter.families import FAMILIES
from exporter.registry.rejections import REASONS, Rejections


def samples(rejections: Rejections) -> dict[str, str]:
    family = [each for each in FAMILIES if each.name == "rollcall_registry_rejected_total"]
    text = b"".join(Exposition(family, 100).publish({"x": rejections.tables()}).chunks(Format.TEXT)).decode()
    lines = [line for line in text.splitlines() if line.startswith("rollcall_registry_rejected_total{")]
    return dict(line.rsplit(" ", 1) for line in lines)


def test_every_reason_is_there_from_the_start() -> None:
    found = samples(Rejections())
    assert found == {f'rollcall_registry_rejected_total{{reason="{reason}"}}': "0" for reason in REASONS}
    assert set(REASONS) == {"token", "host", "origin", "content_type", "body", "depth", "rate", "workers", "busy"}


def test_refusals_of_many_threads_are_all_counted() -> None:
    rejections = Rejections()
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda _: [rejections.count("rate") for _ in range(5000)], range(4)):
            pass
    rejections.count("token")
    found = samples(rejections)
    assert found['rollcall_registry_rejected_total{reason="rate"}'] == "20000"
    assert found['rollcall_registry_rejected_total{reason="token"}'] == "1"


def test_another_reason_is_an_error() -> None:
    with pytest.raises(KeyError, match="mood"):
        Rejections().count("mood")

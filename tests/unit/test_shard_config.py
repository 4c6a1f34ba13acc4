"""`--shard I/N`: what it may be, and what a shard follows of a configuration."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from exporter.cli import _config, _parser
from exporter.config import Config, Shard, for_shard, parse, parse_shard, unsafe
from exporter.config.check import Address
from exporter.exposition import Exposition
from exporter.plan import exposition
from exporter.reload import as_fixed
from exporter.serve import collectors
from exporter.shard import ShardExposition

PUBLIC = "web: {listen_address: '0.0.0.0:10470'}\nregistry: {enabled: true}\n"


def config(text: str = "") -> Config:
    return parse(text, "r.yaml", {}, lambda path: "")


@pytest.mark.parametrize(("text", "shard"), [("0/1", (0, 1)), ("2/3", (2, 3)), ("999/1000", (999, 1000))])
def test_a_shard(text: str, shard: tuple[int, int]) -> None:
    assert parse_shard(text) == Shard(*shard)
    assert str(parse_shard(text)) == text


WRONG = (
    *("", "/", "1", "0", "1/", "/2", "0/0", "1/1", "3/2", "-1/2", "+1/2", "0/-2", "00/2", "0/02", "0x0/2", "0.0/2"),
    *(
        "0/1001",
        "1e0/2",
        " 0/2",
        "0/2 ",
        "0/2\n",
        "0 / 2",
        "0/2/3",
        "0\\2",
        "0,2",
        "1 of 2",
        "a/b",
        "٠/٢",
        "0/99999999",
    ),
)


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_shard(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_shard(text)
    assert str(caught.value) == f"expected I/N with 0 <= I < N <= 1000, got {text!r}"


def test_this_host_and_the_registry_are_the_first_shard_s() -> None:
    said = config(PUBLIC)
    first, second = (for_shard(said, Shard(index, 2)) for index in (0, 1))
    assert first == msgspec.structs.replace(said, shard=Shard(0, 2))
    assert collectors(first) != []
    assert collectors(second) == []
    assert second.registry.enabled is False
    assert unsafe(first.registry, Address("0.0.0.0", 1)) is not None
    assert unsafe(second.registry, Address("0.0.0.0", 1)) is None


def test_one_that_shows_everything_splits_nothing() -> None:
    assert type(exposition(for_shard(config(), Shard(0, 1)))) is Exposition
    assert type(exposition(for_shard(config(), Shard(1, 2)))) is ShardExposition


def test_the_flag_is_the_same_at_every_reload(tmp_path: Path) -> None:
    file = tmp_path / "rollcall.yaml"
    file.write_text("gpu: {enabled: false}\n")
    options = _parser().parse_args(["serve", "--config.file", str(file), "--shard", "1/2"])
    assert as_fixed(_config(options), _config(options)) == (_config(options), [])
    file.write_text("gpu: {enabled: true}\nhost: {rootfs: /host}\n")
    assert _config(options).shard == Shard(1, 2)
    assert collectors(_config(options)) == []

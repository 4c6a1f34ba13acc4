"""docs/INSTALL.md: what its commands name is there, and its own kustomization changes what the base has."""

from __future__ import annotations

import re

import pytest
import yaml

from exporter.cli import main
from tests.unit.locks import ROOT

DOCUMENT = (ROOT / "docs/INSTALL.md").read_text("utf-8")
COMMANDS = [
    line.partition(" # ")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
OURS = [line.split()[1:] for line in COMMANDS if line.startswith("/opt/rollcall/bin/rollcall ")]
LIVE = ("serve",)
"""What does not end by itself."""


def test_the_files_that_commands_name_are_there() -> None:
    named = {word for line in COMMANDS for word in line.split() if re.match("(packaging|requirements|grafana)/", word)}
    assert len(named) >= 7
    assert {word for word in named if not (ROOT / word).exists()} == set()


@pytest.mark.parametrize("arguments", [each for each in OURS if each[0] not in LIVE], ids=" ".join)
def test_its_commands_of_rollcall_run(
    arguments: list[str], tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("root")
    placed = [
        str(folder / each.lstrip("/")) if before in ("--directory", "--set-up") else each
        for before, each in zip(["", *arguments], arguments, strict=False)
    ]
    assert main(placed) == 0
    assert any(path.is_file() for path in folder.rglob("*"))
    assert capsys.readouterr().err == ""


def test_its_kustomization_changes_what_the_base_has() -> None:
    blocks = map(yaml.safe_load, re.findall(r"```yml\n(.*?)```", DOCUMENT, re.DOTALL))
    [own] = [each for each in blocks if "kind" in each]
    base = yaml.safe_load((ROOT / "packaging/kubernetes/kustomization.yaml").read_text("utf-8"))
    assert [each["name"] for each in own["images"]] == [each["newName"] for each in base["images"]]
    assert {each["name"] for each in own["configMapGenerator"]} <= {each["name"] for each in base["configMapGenerator"]}
    assert own["namespace"] == base["namespace"]

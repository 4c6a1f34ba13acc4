"""docs/FIRST_HOUR.md is what was timed, and what goes through it: its blocks, what is seen, and the shell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.first_hour import document
from tests.first_hour.document import RECORDED, Record, Timed, rendered, unrecorded
from tests.first_hour.page import PAGE, Block, blocks
from tests.shell import Shell, ShellError
from tests.unit.locks import ROOT

TEXT = PAGE.read_text("utf-8")
WRITTEN = [*blocks(TEXT)]
LIMIT = 30.0


def recorded() -> Record:
    return msgspec.json.decode(RECORDED.read_bytes(), type=Record)


def test_all_that_is_written_was_run() -> None:
    assert [(each.section, each.commands) for each in recorded().blocks] == [each[:2] for each in WRITTEN]
    assert len(WRITTEN) > 20
    assert sum(bool(each.promised) for each in WRITTEN) > 8


def test_every_block_of_the_page_is_one_that_is_run_or_seen() -> None:
    assert set(re.findall(r"^ *```(.+)$", TEXT, re.MULTILINE)) == {"sh", "text"}
    assert TEXT.count("```sh\n") == len(WRITTEN)
    assert TEXT.count("```text\n") == sum(bool(each.promised) for each in WRITTEN)


def test_the_table_is_what_was_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    assert rendered(TEXT, recorded()) == TEXT
    assert document.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_what_is_stale_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(document, "PAGE", page)
    page.write_text(TEXT.replace("| all of it |", "| all |"))
    assert document.main(["--check"]) == 1
    assert "its figures are stale" in capsys.readouterr().err
    page.write_text(TEXT.replace("rollcall version\n", "rollcall --version\n"))
    assert document.main(["--check"]) == 1
    assert "run `make first-hour`; got 'rollcall --version" in capsys.readouterr().err
    page.write_text(TEXT.replace("| all of it |", "| all |"))
    assert document.main([]) == 0
    assert page.read_text() == TEXT


def test_what_was_not_run_is_all_from_the_first_that_differs() -> None:
    record = recorded()
    last = record.blocks.pop()
    assert unrecorded(TEXT, record) == [last.commands]
    record.blocks += [last, Timed("7. More", "true\n", 0.1, question=False)]
    assert unrecorded(TEXT, record) == ["true\n"]


def test_blocks_know_their_section_and_what_they_promise() -> None:
    page = "## A\n\n```sh\none\n```\n\n```sh\ntwo\n```\n\nsays\n\n```text\nseen\n```\n\n## B\n\n```sh\nthree\n```\n"
    assert [*blocks(page)] == [Block("A", "one\n"), Block("A", "two\n", ("seen",)), Block("B", "three\n")]
    with pytest.raises(ValueError, match="expected commands before what is to be seen"):
        [*blocks("```text\nseen\n```\n")]


@pytest.mark.parametrize(
    ("promised", "output", "seen"),
    [
        ('up{job="a"} => 1 @[…]', 'other\nup{job="a"} => 1 @[1795.5]\n', True),
        ('up{job="a"} => 1 @[…]', 'up{job="a"} => 0 @[1795.5]\n', False),
        ("gpu-01 … serving …", "gpu-01   68   serving  8s\n", True),
        ("a.b", "aXb\n", False),
        ("whole", "the whole line\n", False),
    ],
)
def test_what_is_promised_is_a_whole_line(promised: str, output: str, seen: bool) -> None:
    assert Block("", "", (promised,)).unseen(output) == ([] if seen else [promised])


def test_a_shell_goes_on_from_block_to_block(tmp_path: Path) -> None:
    with Shell(["bash", "--norc"], tmp_path / "log") as shell:
        assert shell.run("A=1\ncat <<'END'\n$A\nEND", LIMIT)[:2] == (0, "$A\n")
        assert shell.run("echo $A; sleep 600 &\nSLEEP=$!", LIMIT)[:2] == (0, "1\n")
        assert shell.run("kill $SLEEP", LIMIT).status == 0
        assert shell.run("false\necho on", LIMIT, apart=True)[:2] == (1, "")


def test_a_shell_tells_of_what_fails_and_of_what_does_not_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never-written")
    late = pytest.raises(ShellError, match="expected an end in time, got none:\nbegun")
    with late, Shell(["bash", "--norc"], tmp_path / "log") as shell:
        shell.run(f"echo begun; read <{tmp_path}/never-written", 0.3)
    failed = pytest.raises(ShellError, match="expected status 0, the shell ended with 3:\nwhy")
    with failed, Shell(["bash", "--norc"], tmp_path / "other") as shell:
        shell.run("echo why; (exit 3); echo on", LIMIT)


def test_make_installs_as_the_document_says() -> None:
    """`make install` is what docs/INSTALL.md writes out, by the set-up that installs the packages it names."""
    dry = ["make", "--dry-run", "--no-print-directory", "install", "PREFIX=/opt/rollcall"]
    made = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    told = (ROOT / "docs/INSTALL.md").read_text("utf-8")
    flags = [
        re.sub(r" (-qq|--disable-pip-version-check)", "", line.partition("pip install")[2])
        for line in made.splitlines()
        if "pip install" in line
    ]
    written = re.findall(r"^/opt/rollcall/bin/pip install( .*)$", told, re.MULTILINE)
    assert flags == list(dict.fromkeys(written))
    [package] = set(re.findall(r"^apt-get install (.*)$", told, re.MULTILINE))
    assert f"debian {package} " in (ROOT / "tests/set_up.sh").read_text("utf-8")

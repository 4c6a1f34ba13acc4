"""docs/CLI.md has every command with what its `--help` says that it takes, and its examples are command lines."""

from __future__ import annotations

import re
import shlex
from itertools import chain
from pathlib import Path

import pytest

from exporter.cli import _divided, _parser
from tests.real.documented import DOCUMENTS, commands
from tests.unit.test_cli import outcome

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "CLI.md").read_text("utf-8")
FLAG = re.compile(r"^  (?:-h, )?(?P<flag>(?:--[\w.-]+|[A-Z]+)(?: (?:[A-Z_:/]+|\{[\w,]+\}))?)(?:  |$)")
COMMAND = re.compile(r"^    (?P<name>[a-z][\w-]*)(?:  |$)")


def helped(capsys: pytest.CaptureFixture[str], *command: str) -> list[str]:
    """The lines of a command's help."""
    assert outcome(*command, "--help") == 0
    return capsys.readouterr().out.splitlines()


def every(capsys: pytest.CaptureFixture[str], *above: str) -> list[tuple[str, ...]]:
    """All commands below one that take no further one, as helps list them."""
    names = [found["name"] for line in helped(capsys, *above) if (found := COMMAND.match(line))]
    return [command for name in names for command in every(capsys, *above, name)] if names else [above]


def sections() -> dict[str, str]:
    """The text of the document on each command."""
    parts = re.split(r"^## (rollcall [\w ]+(?:-\w+)?)\n", DOCUMENT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_is_documented_with_what_it_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    taken = {
        "rollcall " + " ".join(command): [
            found["flag"] for line in helped(capsys, *command) if (found := FLAG.match(line))
        ]
        for command in every(capsys)
    }
    assert all(flags.pop(flags.index("--help")) for flags in taken.values())
    said = {name: re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE) for name, text in sections().items()}
    assert {name: sorted(flags) for name, flags in said.items()} == {name: sorted(each) for name, each in taken.items()}
    assert {"--only {nodes,workers,wakeable,sources}", "--config.file FILE", "NODE"} <= {*chain(*taken.values())}
    linked = re.findall(r"^\| \[`(rollcall [\w-]+)`\]", DOCUMENT, re.MULTILINE)
    assert linked == list(dict.fromkeys(" ".join(name.split()[:2]) for name in sections()))


EXAMPLES = [
    (document, command)
    for document in DOCUMENTS
    for command in commands(document)
    if re.match(r"(?:\S*/)?rollcall ", command)
]


@pytest.mark.parametrize(("document", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_examples_of_all_documents_are_command_lines(document: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    end = next((place for place, word in enumerate(words) if re.match(r"[012]?>|[|&;]", word)), len(words))
    own, _ = _divided(words[:end])
    assert callable(_parser().parse_args(own).run), document

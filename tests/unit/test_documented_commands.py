"""Commands that the documentation shows are found, and the targets of make that it names are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.real import documented
from tests.real.documented import DOCUMENTS, ROOT, commands
from tests.real.typed import serving

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def words(command: str) -> list[str]:
    return shlex.split(command.partition("\n")[0], comments=True)


SHOWN = [(document, command) for document in DOCUMENTS for command in commands(document)]
MADE = [(document, command) for document, command in SHOWN if words(command)[:1] == ["make"]]

DOCUMENT = """
```sh
one --flag    # what it does

# nothing
two \\
    --more
cat >file <<'END'
kept  # as it is

END
```

1. In a list:

   ```console
   $ three | four &
   its output
   ```

```yaml
key: value  # no command
```

As `make
five` and `make …` say, and `six` does not.
"""


@pytest.mark.parametrize(("document", "command"), MADE, ids=lambda each: each)
def test_make_has_its_targets(document: str, command: str) -> None:
    asked = [word for word in words(command)[1:] if "=" not in word and not word.startswith("-")]
    assert set(asked) <= TARGETS


def test_there_are_some() -> None:
    assert len(MADE) > 10
    assert {"README.md", "docker-compose.yml", "docs/CLI.md", "prometheus/examples/README.md"} <= set(DOCUMENTS)


def test_commands_are_found_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documented, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(DOCUMENT)
    here = "cat >file <<'END'\nkept  # as it is\n\nEND"
    assert [*commands("page.md")] == ["one --flag", "two --more", here, "three | four &", "make five"]
    (tmp_path / "file.yml").write_text("# docker compose up   all of it\n# docker is a program\nkey: value\n")
    assert [*commands("file.yml")] == ["docker compose up"]


@pytest.mark.parametrize(
    ("command", "place", "stays"),
    [
        ("rollcall serve &", "10470", True),
        ("/opt/rollcall/bin/rollcall serve --web.listen-address 127.0.0.1:10472", "10472", True),
        ("rollcall agent", "agent", False),
        ("rollcall agent -- python train.py", None, None),
        ("rollcall status --watch", "watch", False),
        ("rollcall status", None, None),
        ("make stack", "10470", False),
        ("make test", None, None),
    ],
)
def test_what_serves_is_told_from_what_ends(command: str, place: str | None, stays: bool | None) -> None:
    found = serving(command)
    assert (found and (found.place, found.stays)) == (place and (place, stays))

"""Debian's Chromium, driven by tests/browser/drive.mjs with packages that set_up.sh brings."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.real.process import missing, program

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests/browser/drive.mjs"
NODE = Path(os.environ.get("ROLLCALL_NODE") or ROOT / ".cache/node") / "bin/node"
PACKAGES = Path(os.environ.get("ROLLCALL_BROWSER") or ROOT / ".cache/browser")
"""Has node_modules."""


class Chromium:
    """A browser with one page open at a time; as a context manager it is ended at the end.

    Whatever it is told has a minute; what does not come true until then raises RuntimeError with what Chromium says.
    """

    def __init__(self, log: Path) -> None:
        chromium = program("chromium")
        if not NODE.exists() or not (PACKAGES / "node_modules").exists():
            missing(
                f"no Node that drives Chromium: expected {NODE} and {PACKAGES / 'node_modules'} (sh tests/set_up.sh)"
            )
        self._log = log
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [NODE, PROGRAM, PACKAGES, chromium],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                encoding="utf-8",
            )

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process.stdout.close()

    def tell(self, what: str, **values: object) -> Any:
        """Have a command of drive.mjs done; gives what it says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"do": what, **values}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"Chromium is gone: {self._log.read_text(errors='replace')}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{what} {values}: {answer['error']}")
        return answer["said"]

    def open(self, url: str, **values: object) -> int:
        """Open a page in a new context, watched for problems; gives its HTTP status."""
        status: int = self.tell("open", url=url, **values)["status"]
        return status

    def go(self, url: str) -> int:
        """Go on to another page, which is watched as well; gives its HTTP status."""
        status: int = self.tell("go", url=url)["status"]
        return status

    def texts(self, selector: str) -> list[str]:
        """The texts of elements, as they are shown."""
        found: list[str] = self.tell(
            "evaluate", script=f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.innerText)"
        )
        return found

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.tell("evaluate", script=script)

    def until(self, script: str) -> Any:
        """Wait until an expression in the page is true, and give it."""
        return self.tell("until", script=script)

    def barriers(self) -> list[str]:
        """What axe finds."""
        found: list[str] = self.tell("axe")
        return found

    @property
    def problems(self) -> list[str]:
        """What went wrong on the pages since the last one was opened."""
        found: list[str] = self.tell("problems")
        return found

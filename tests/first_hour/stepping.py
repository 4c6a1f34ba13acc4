"""Goes through the blocks of the page in a shell, as a person does: a question is asked until it is answered."""

from __future__ import annotations

import time

from tests.first_hour.page import Block
from tests.shell import Shell, ShellError

LIMIT = 1800.0
"""Seconds within which commands must end: some of them download some hundred megabytes."""

PATIENCE = 180.0
"""Seconds within which what a question promises must be seen."""

STEP = 0.5
"""Seconds between two questions."""


def go(shell: Shell, block: Block) -> float:
    """Run a block; gives the seconds until it ended, or until all that it promises was seen.

    Raises ShellError where its status is not 0, or what it promises is not seen.
    """
    return _asked(shell, block) if block.promised else shell.run(block.commands, LIMIT).seconds


def _asked(shell: Shell, block: Block) -> float:
    began = time.monotonic()
    while True:
        ran = shell.run(block.commands, LIMIT, apart=True)
        seconds = time.monotonic() - began
        unseen = block.unseen(ran.output)
        if not unseen and ran.status == 0:
            return seconds
        if seconds > PATIENCE:
            raise ShellError(f"{block.commands}\nexpected in {PATIENCE:g} s {unseen} and status 0, got:\n{ran.output}")
        time.sleep(STEP)

"""`python -m tests.promises` renders docs/RELIABILITY.md from what was recorded; `--check` tells whether it is true."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.promises.document import DOCUMENT, RECORDED, ROOT, declared, rendered, troubles
from tests.promises.recording import read


def main(arguments: Sequence[str]) -> int:
    """Write the document, or with --check say what is wrong with it; returns the exit status."""
    promises, record, document = list(declared(ROOT / "tests")), read(RECORDED), DOCUMENT.read_text("utf-8")
    if "--check" not in arguments:
        DOCUMENT.write_text(rendered(document, record, promises), "utf-8")
        return 0
    found = list(troubles(document, record, promises))
    sys.stderr.writelines(f"{trouble}: run `make reliability`\n" for trouble in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

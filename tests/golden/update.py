"""Rewrites the golden files: `.venv/bin/python -m tests.golden.update`, from the top of the repository.

Read the difference line by line before it is committed: the golden files are the specification.
"""

from __future__ import annotations

from tests.golden.cases import CASES


def main() -> None:
    """Write every case's exposition in both formats."""
    for case in CASES:
        for form, text in case.texts().items():
            case.file(form).write_bytes(text)


if __name__ == "__main__":
    main()

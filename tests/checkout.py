"""A copy of this checkout as a person has it: nothing of git's, and nothing that was built."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path


def copy(source: Path, target: Path) -> None:
    """Copy a checkout but for `.git` and what its `.gitignore` names."""
    patterns = [".git", *(line.rstrip("/") for line in (source / ".gitignore").read_text("utf-8").splitlines())]

    def left(folder: str, names: list[str]) -> list[str]:
        paths = {name: f"/{(Path(folder) / name).relative_to(source)}" for name in names}
        return [
            name
            for name, path in paths.items()
            if any(fnmatch(path if pattern.startswith("/") else name, pattern) for pattern in patterns)
        ]

    shutil.copytree(source, target, symlinks=True, ignore=left, dirs_exist_ok=True)

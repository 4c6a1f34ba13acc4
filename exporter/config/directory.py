"""Where state is kept, when nobody says so."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

SYSTEM = Path("/var/lib/rollcall")
"""The system's directory for Rollcall's state."""


def is_writable(folder: Path) -> bool:
    """Tell whether a folder is there and files can be made in it."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def state_directory(
    given: str | None, environ: Mapping[str, str], writable: Callable[[Path], bool] = is_writable
) -> Path | None:
    """The directory that was given, else the service manager's, the system's if it is `writable`, or the user's.

    systemd's `STATE_DIRECTORY` may name several, separated by colons: the first (systemd.exec(5), RuntimeDirectory=).
    None where there is not even a home.
    """
    if given is not None:
        return Path(given)
    if first := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(first)
    if writable(SYSTEM):
        return SYSTEM
    home = environ.get("HOME")
    return Path(home) / ".local" / "state" / "rollcall" if home else None


def exposed(folder: Path | None) -> str | None:
    """What is wrong with a state directory that others than its owner may enter; None where none may, or none is there.

    It is not closed to them here: it may be one that an operator shares with other programs.
    """
    try:
        mode = 0 if folder is None else stat.S_IMODE(folder.stat().st_mode)
    except OSError:
        return None
    if not mode & 0o77:
        return None
    return f"{folder}: expected a state directory of mode 0700, got {mode:04o}; chmod 700 {folder}"

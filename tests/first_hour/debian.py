"""A bare Debian in a folder: its minimal base, this checkout, and nothing else."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from tests.checkout import copy

RELEASE = "bookworm"
CHECKOUT = "/root/rollcall"
CERTIFICATES = Path("/usr/local/share/ca-certificates")
"""Debian: what an administrator has machines trust beside what the package ca-certificates has."""

ENVIRON = {"HOME": "/root", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb"}

# What is mounted, and whatever is started, ends with the namespaces. The root has to be a mount of its own, as that of
# a machine is: /proc/mounts would have no line for it.
_ENTER = """
set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
exec chroot "$1" /bin/sh -c "cd $2 && exec /bin/bash --norc"
"""


class BareDebian:
    """A Debian as a context manager: made at the start, removed at the end; needs root, debootstrap and a mirror."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._folder = tempfile.TemporaryDirectory(prefix="rollcall-first-hour-")
        self.root = Path(self._folder.name) / "root"

    def __enter__(self) -> BareDebian:
        try:
            self._make()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def shell(self) -> list[str]:
        """The command of a shell in the checkout; all that it starts ends with it."""
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*alone, "sh", "-c", _ENTER, "enter", str(self.root), CHECKOUT]

    def said(self, command: str) -> str:
        """What a program in it prints."""
        inside = ["chroot", str(self.root), *shlex.split(command)]
        return subprocess.run(inside, capture_output=True, text=True, check=True, env=ENVIRON).stdout.strip()

    def _make(self) -> None:
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", RELEASE, str(self.root)], capture_output=True, text=True, check=False
        )
        if made.returncode:
            last = (made.stdout + made.stderr).strip().splitlines()[-5:]
            raise OSError(f"{self.root}: expected a Debian, debootstrap ended with {made.returncode}: {last}")
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n", "utf-8")
        trusted = self.root / str(CERTIFICATES).lstrip("/")
        trusted.mkdir(parents=True, exist_ok=True)
        for certificate in CERTIFICATES.glob("*.crt"):
            shutil.copy(certificate, trusted)
        copy(self._checkout, self.root / CHECKOUT.lstrip("/"))


def lacking() -> list[str]:
    """What a bare Debian cannot be made without, and is not there."""
    absent = [name for name in ("debootstrap", "unshare", "chroot") if shutil.which(name) is None]
    return [*absent, *(["root"] if os.geteuid() else [])]

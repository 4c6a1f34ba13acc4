"""This machine with another network and a root of which nothing is kept, where commands do as they like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.checkout import copy
from tests.real.process import missing
from tests.shell import Shell

ROOT = Path(__file__).parents[2]
HOME = "/home/person"
CHECKOUT = f"{HOME}/rollcall"
HOSTS = "127.0.0.1 localhost rollcall rollcall.example trainer gamma-01 beta-box\n"

# The overlay has this machine's files below and a tmpfs above; what is mounted below / is not in it. What is mounted
# and whatever is started ends with the namespaces.
_ENTER = """
set -e
folder=$1 home=$2
shift 2
mount -t tmpfs tmpfs "$folder/kept"
mkdir "$folder/kept/upper" "$folder/kept/work"
root=$folder/root
mount -t overlay -o "lowerdir=/,upperdir=$folder/kept/upper,workdir=$folder/kept/work" overlay "$root"
for path in "$@"; do
    [ -e "$root$path" ] || { mkdir -p "$root$path"; mount --bind -o ro "$path" "$root$path"; }
done
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mkdir -p "$root$home/rollcall"
mount --bind "$folder/checkout" "$root$home/rollcall"
cp "$folder/hosts" "$root/etc/hosts"
ip link set lo up
exec chroot "$root" /bin/sh -c "cd $home/rollcall && exec bash --norc"
"""
_ALONE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")


class Sandbox:
    """A folder with a copy of this checkout; its shells begin anew, but for what is in the copy."""

    def __init__(self, folder: Path) -> None:
        tried = subprocess.run([*_ALONE, "true"], capture_output=True, text=True, check=False)
        if os.geteuid() or tried.returncode:
            missing(f"a sandbox needs root and namespaces of its own: {tried.stderr.strip() or 'not root'}")
        self._folder = folder
        self.checkout = folder / "checkout"
        copy(ROOT, self.checkout)
        (self.checkout / ".venv").symlink_to(sys.prefix)
        (folder / "hosts").write_text(HOSTS, "utf-8")
        for name in ("kept", "root"):
            (folder / name).mkdir()

    def shell(self, log: Path) -> Shell:
        """A shell in the copy, in which `rollcall` and `python` are those of the copy."""
        environ = {
            "HOME": HOME,
            "LANG": "C.UTF-8",
            "PATH": f"{CHECKOUT}/.venv/bin:{os.environ['PATH']}",
            "PYTHONPATH": CHECKOUT,
            "PYTHONUNBUFFERED": "1",
            "TERM": "dumb",
        }
        paths = [sys.prefix, sys.base_prefix]
        return Shell([*_ALONE, "sh", "-c", _ENTER, "enter", str(self._folder), HOME, *paths], log, environ)

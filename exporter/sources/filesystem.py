"""This host's mounted file systems, chosen as node_exporter 1.8 chooses them."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from exporter.records.machine import HostFilesystem

# collector/filesystem_linux.go of node_exporter 1.8: defMountPointsExcluded, defFSTypesExcluded.
EXCLUDED_MOUNTPOINTS = re.compile(
    r"/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)(/|\Z)", re.DOTALL
)
EXCLUDED_TYPES = re.compile(
    "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|"
    "proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs"
)
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")
LOCAL_TYPES = frozenset(("btrfs", "fuseblk", "overlay", "ramfs", "tmpfs", "zfs"))
PATIENCE_SECONDS = 0.5


class Mount(NamedTuple):
    """A mount: `mountpoint` is what is reported, `path` is where it is read."""

    mountpoint: str
    device: str
    fstype: str
    path: str

    @property
    def excluded(self) -> bool:
        """Whether node_exporter leaves it out."""
        return bool(EXCLUDED_TYPES.fullmatch(self.fstype) or EXCLUDED_MOUNTPOINTS.match(self.mountpoint))

    @property
    def remote(self) -> bool:
        """Whether something other than this machine's kernel and disks has to answer for it."""
        if self.fstype in LOCAL_TYPES:
            return False
        return self.fstype.startswith("fuse") or not self.device.startswith("/dev/")


def mounts_below(partitions: Iterable[Any], rootfs: str) -> list[Mount]:
    """List what is mounted under `rootfs`, which is left out of the mount points, one mount for each mount point.

    `partitions` are psutil's: `device`, `mountpoint` and `fstype`, in the order of /proc/mounts, so that of several
    mounts on one mount point the last one covers the others. Where no partition is at or below `rootfs`, all of them
    are those of the host, and are read below it (node_exporter 1.8, collector/paths.go: rootfsStripPrefix).
    """
    root = rootfs.rstrip("/")
    listed = list(partitions)
    below = [mount for mount in listed if mount.mountpoint == root or mount.mountpoint.startswith(root + "/")]
    strip = bool(root and below)
    found: dict[str, Mount] = {}
    for each in below if strip else listed:
        shown = (each.mountpoint[len(root) :] or "/") if strip else each.mountpoint
        # psutil turns the device "none" of /proc/mounts into an empty text.
        found[shown] = Mount(shown, each.device or "none", each.fstype, root + shown if root else shown)
    return list(found.values())


def seen_by_all(procfs: str) -> frozenset[str] | None:
    """The mount points of the first process, None where they cannot be read.

    A service manager mounts more for a service alone, parts of the root again such as a /tmp of its own: they are no
    file systems of this machine (node_exporter 1.8, collector/filesystem_linux.go: mountPointDetails).
    """
    try:
        lines = Path(procfs, "1/mounts").read_bytes().splitlines()
    except OSError:
        return None
    fields = (line.split(b" ")[1] for line in lines if line.count(b" ") > 1)
    return frozenset(os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), each)) for each in fields)


class FilesystemReader:
    """Asks every mounted file system for its size, and never waits long for one that does not answer.

    `unread` is how many gave no answer to the last reading, but for those that this process may not read.

    A dead NFS server holds a statvfs(2) for ever. A remote file system is therefore asked in a thread of its own, all
    of them share `patience` seconds, and one that still owes an answer is not asked again.
    """

    def __init__(
        self,
        rootfs: str,
        ps: Any,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        seen: Callable[[], frozenset[str] | None] = lambda: None,
    ) -> None:
        self._rootfs = rootfs
        self._seen = seen
        self._ps = ps
        self._patience = patience
        self._clock = clock
        self._stuck: dict[str, threading.Thread] = {}
        self.unread = 0

    def read(self) -> tuple[HostFilesystem, ...]:
        """List the file systems that answer; sizes in bytes.

        Where the exclusions leave none at all, as in a container on overlay, it is the root alone. Raises OSError
        when the mounts cannot be listed.
        """
        return tuple(
            HostFilesystem(
                mountpoint=mount.mountpoint,
                device=mount.device,
                fstype=mount.fstype,
                size_bytes=usage.total,
                available_bytes=usage.free,
            )
            for mount, usage in self.measure()
        )

    def measure(self) -> list[tuple[Mount, Any]]:
        """The mounts that answer, chosen as in `read`, each with psutil's usage; raises OSError as it does."""
        self.unread = 0
        mounts = mounts_below(self._ps.disk_partitions(all=True), self._rootfs)
        if self._rootfs == "/" and (seen := self._seen()):
            mounts = [mount for mount in mounts if mount.mountpoint in seen]
        chosen = self._measured([mount for mount in mounts if not mount.excluded])
        return chosen or self._measured([mount for mount in mounts if mount.mountpoint == "/"])

    @property
    def stuck(self) -> tuple[str, ...]:
        """Where the mounts are read that still owed an answer after the last reading."""
        return tuple(self._stuck)

    def _measured(self, mounts: list[Mount]) -> list[tuple[Mount, Any]]:
        usages = self._usages(mounts)
        self.unread += sum(mount.path not in usages for mount in mounts)
        return [(mount, usages[mount.path]) for mount in mounts if usages.get(mount.path) is not None]

    def _usages(self, mounts: list[Mount]) -> dict[str, Any]:
        self._stuck = {path: thread for path, thread in self._stuck.items() if thread.is_alive()}
        answers: dict[str, Any] = {}
        asked = {
            mount.path: self._ask_apart(mount.path, answers)
            for mount in mounts
            if mount.remote and mount.path not in self._stuck
        }
        for mount in mounts:
            if not mount.remote:
                self._ask(mount.path, answers)
        end = self._clock() + self._patience
        for path, thread in asked.items():
            thread.join(max(0.0, end - self._clock()))
            if thread.is_alive():
                self._stuck[path] = thread
        return dict(answers)

    def _ask_apart(self, path: str, answers: dict[str, Any]) -> threading.Thread:
        thread = threading.Thread(target=self._ask, args=(path, answers), name=f"statvfs {path}", daemon=True)
        thread.start()
        return thread

    def _ask(self, path: str, answers: dict[str, Any]) -> None:
        try:
            answers[path] = self._ps.disk_usage(path)
        except PermissionError:
            answers[path] = None
        except OSError:
            return

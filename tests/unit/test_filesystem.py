"""File systems: which mounts are reported, where they are read, and mounts that do not answer."""

import threading
from collections import namedtuple
from types import SimpleNamespace

import pytest

from exporter.records import HostFilesystem
from exporter.sources.filesystem import FilesystemReader, Mount, mounts_below, seen_by_all

Partition = namedtuple("Partition", "device mountpoint fstype opts", defaults=["rw"])
ENOUGH = 3600.0


class FakePs:
    """psutil's two functions; `usages` maps a path to (total, free) in bytes, or to an error."""

    def __init__(self, partitions, usages):
        self.partitions = partitions
        self.usages = usages
        self.asked = []

    def disk_partitions(self, all):  # noqa: A002
        assert all is True
        return self.partitions

    def disk_usage(self, path):
        self.asked.append(path)
        usage = self.usages[path]
        if isinstance(usage, Exception):
            raise usage
        if callable(usage):
            usage = usage()
        return SimpleNamespace(total=usage[0], free=usage[1], used=-1, percent=-1)


def read(partitions, usages, rootfs="/"):
    return FilesystemReader(rootfs, FakePs(partitions, usages), patience=ENOUGH).read()


def mountpoints(rows):
    return [row.mountpoint for row in rows]


def test_a_row():
    rows = read([Partition("/dev/sda1", "/", "ext4")], {"/": (1000, 400)})
    assert rows == (HostFilesystem("/", "/dev/sda1", "ext4", 1000, 400),)


@pytest.mark.parametrize(
    "fstype",
    [
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "fusectl",
        "hugetlbfs",
        "iso9660",
        "mqueue",
        "nsfs",
        "overlay",
        "proc",
        "procfs",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "squashfs",
        "sysfs",
        "tracefs",
    ],
)
def test_types_left_out(fstype):
    partitions = [Partition("/dev/sda1", "/", "ext4"), Partition("x", "/mnt", fstype)]
    assert mountpoints(read(partitions, {"/": (1, 1), "/mnt": (1, 1)})) == ["/"]


@pytest.mark.parametrize("fstype", ["ext4", "xfs", "tmpfs", "nfs4", "fuse.sshfs", "overlayfs2", "cgroup3", "zfs"])
def test_types_reported(fstype):
    assert mountpoints(read([Partition("x", "/mnt", fstype)], {"/mnt": (1, 1)})) == ["/mnt"]


@pytest.mark.parametrize(
    ("mountpoint", "reported"),
    [
        ("/dev", False),
        ("/dev/shm", False),
        ("/devices", True),
        ("/dev\n", True),
        ("/proc/sys", False),
        ("/sys/fs/cgroup", False),
        ("/run", True),
        ("/run/credentials", True),
        ("/run/credentials/a.service", False),
        ("/var/lib/docker", True),
        ("/var/lib/docker/overlay2/x/merged", False),
        ("/var/lib/containers/storage", True),
        ("/var/lib/containers/storage/overlay", False),
        ("/mnt/dev", True),
    ],
)
def test_mount_points_left_out(mountpoint, reported):
    partitions = [Partition("/dev/sda1", "/", "ext4"), Partition("/dev/sdb1", mountpoint, "ext4")]
    rows = read(partitions, {"/": (1, 1), mountpoint: (1, 1)})
    assert mountpoints(rows) == (["/", mountpoint] if reported else ["/"])


@pytest.mark.parametrize(
    "error",
    [PermissionError(13, "x"), OSError(116, "Stale file handle"), FileNotFoundError(2, "x"), OSError(107, "x")],
    ids=["no permission", "stale", "vanished", "not connected"],
)
@pytest.mark.parametrize("fstype", ["ext4", "nfs4"])
def test_one_that_cannot_be_read_costs_its_own_row_only(error, fstype):
    partitions = [Partition("/dev/a", "/", "ext4"), Partition("srv:/b", "/b", fstype), Partition("/dev/c", "/c", "xfs")]
    assert mountpoints(read(partitions, {"/": (1, 1), "/b": error, "/c": (1, 1)})) == ["/", "/c"]


def test_of_several_mounts_on_one_mount_point_the_last_covers_the_others():
    partitions = [
        Partition("rootfs", "/", "rootfs"),
        Partition("/dev/a", "/", "ext4"),
        Partition("systemd-1", "/nfs", "autofs"),
        Partition("srv:/x", "/nfs", "nfs4"),
        Partition("/dev/b", "/covered", "ext4"),
        Partition("overlay", "/covered", "overlay"),
        Partition("srv:/x", "/nfs", "nfs4"),
    ]
    rows = read(partitions, {"/": (1, 1), "/nfs": (2, 2), "/covered": (3, 3)})
    assert [(row.mountpoint, row.device) for row in rows] == [("/", "/dev/a"), ("/nfs", "srv:/x")]


@pytest.mark.parametrize(
    ("partitions", "expected"),
    [
        ([("overlay", "/", "overlay"), ("proc", "/proc", "proc"), ("tmpfs", "/dev", "tmpfs")], ["/"]),
        ([("overlay", "/", "overlay"), ("/dev/sda1", "/etc/hosts", "ext4")], ["/etc/hosts"]),
        ([("proc", "/proc", "proc")], []),
        ([], []),
    ],
    ids=["nothing else: the root", "something else: no root", "no root", "no mounts"],
)
def test_a_root_that_is_an_overlay(partitions, expected):
    usages = {"/": (1, 1), "/etc/hosts": (1, 1)}
    assert mountpoints(read([Partition(*each) for each in partitions], usages)) == expected


def test_the_overlay_root_is_reported_as_mounted_and_below_rootfs():
    rows = read(
        [Partition("overlay", "/", "overlay"), Partition("overlay", "/host", "overlay")], {"/host/": (9, 5)}, "/host"
    )
    assert rows == (HostFilesystem("/", "overlay", "overlay", 9, 5),)


@pytest.mark.parametrize(
    ("rootfs", "listed", "expected"),
    [
        ("/", ["/", "/host"], [("/", "/"), ("/host", "/host")]),
        ("/host", ["/", "/etc/hosts", "/host", "/host/data"], [("/", "/host/"), ("/data", "/host/data")]),
        ("/host/", ["/", "/host", "/host/data"], [("/", "/host/"), ("/data", "/host/data")]),
        ("/host", ["/host", "/hostess", "/host/host/x"], [("/", "/host/"), ("/host/x", "/host/host/x")]),
        ("/host", ["/", "/data"], [("/", "/host/"), ("/data", "/host/data")]),
    ],
    ids=["the root", "own mounts", "trailing slash", "alike names", "the host's mounts"],
)
def test_rootfs(rootfs, listed, expected):
    mounts = mounts_below([Partition("/dev/a", mountpoint, "ext4") for mountpoint in listed], rootfs)
    assert [(mount.mountpoint, mount.path) for mount in mounts] == expected


def test_a_device_named_none():
    assert mounts_below([Partition("", "/mnt", "tmpfs")], "/") == [Mount("/mnt", "none", "tmpfs", "/mnt")]


@pytest.mark.parametrize(
    ("device", "fstype", "remote"),
    [
        ("/dev/sda1", "ext4", False),
        ("tmpfs", "tmpfs", False),
        ("pool/home", "zfs", False),
        ("/dev/sdb1", "fuseblk", False),
        ("srv:/export", "nfs4", True),
        ("//srv/share", "cifs", True),
        ("/dev/fuse", "fuse.sshfs", True),
        ("a,b,c:/", "ceph", True),
        ("10.0.0.1@tcp:/fs", "lustre", True),
    ],
)
def test_which_are_asked_apart(device, fstype, remote):
    assert Mount("/mnt", device, fstype, "/mnt").remote is remote


def test_one_that_does_not_answer_is_left_out_and_not_asked_again_until_it_does():
    answered = threading.Event()

    def hang():
        assert answered.wait(timeout=60)
        return (7, 3)

    step, now = ENOUGH, 0.0

    def clock():
        nonlocal now
        now += step
        return now

    ps = FakePs([Partition("/dev/a", "/", "ext4"), Partition("srv:/x", "/nfs", "nfs4")], {"/": (1, 1), "/nfs": hang})
    reader = FilesystemReader("/", ps, patience=ENOUGH, clock=clock)
    try:
        assert mountpoints(reader.read()) == ["/"]
        [waiting] = [thread for thread in threading.enumerate() if thread.name == "statvfs /nfs"]
        assert mountpoints(reader.read()) == ["/"]
    finally:
        answered.set()
    waiting.join(timeout=60)
    assert ps.asked.count("/nfs") == 1
    step = 0.0
    assert mountpoints(reader.read()) == ["/", "/nfs"]


def test_what_is_mounted_for_this_process_alone_is_no_file_system_of_the_machine():
    partitions = [Partition("/dev/sda1", each, "ext4") for each in ("/", "/home", "/tmp", "/var/lib/private/rollcall")]
    usages = {partition.mountpoint: (1, 1) for partition in partitions}

    def seen_from(seen, rootfs="/"):
        reader = FilesystemReader(
            rootfs, FakePs(partitions, usages | {"/home/": (1, 1)}), patience=ENOUGH, seen=lambda: seen
        )
        return mountpoints(reader.read())

    assert seen_from(frozenset(("/", "/home", "/mnt"))) == ["/", "/home"]
    assert seen_from(None) == seen_from(frozenset()) == list(usages)
    assert seen_from(frozenset("/"), rootfs="/home") == ["/"]


def test_mount_points_of_the_first_process(tmp_path):
    assert seen_by_all(str(tmp_path)) is None
    (tmp_path / "1").mkdir()
    (tmp_path / "1/mounts").write_bytes(
        b"/dev/sda1 / ext4 rw 0 0\nnone /a\\040b\\134 tmpfs rw 0 0\n\nx /\xe9 ext4 rw\n"
    )
    assert seen_by_all(str(tmp_path)) == {"/", "/a b\\", "/\udce9"}

"""The host collector and psutil against a recorded /proc, in a process of its own: psutil has one procfs for each."""

import json
import subprocess
import sys
from pathlib import Path

from exporter.records import HostCpu, HostDisk, HostNetwork

ROOT = Path(__file__).parent.parent.parent
RECORDED = {
    "stat": "cpu  300 0 0 700 0 0 0 0 0 0\ncpu0 100 10 20 500 5 1 2 3 40 0\ncpu3 200 0 0 200 0 0 0 0 0 0\n"
    "btime 1790000000\n",
    "meminfo": "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 600 kB\nBuffers: 10 kB\nCached: 200 kB\n"
    "SReclaimable: 5 kB\nShmem: 1 kB\nActive: 1 kB\nInactive: 1 kB\nSwapTotal: 100 kB\nSwapFree: 40 kB\n",
    "vmstat": "pswpin 0\npswpout 0\n",
    "diskstats": "8 0 sda 1 0 16 0 1 0 32 0 0 0 0\n8 1 sda1 1 0 16 0 1 0 32 0 0 0 0\n7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n",
    "net/dev": "h\nh\n    lo: 7 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0\n  eth0: 20 0 0 0 0 0 0 0 10 0 0 0 0 0 0 0\n",
}
READ = """
import json, sys
from exporter.sources.host import HostCollector
tables = HostCollector(sys.argv[1], sys.argv[2]).read()
print(json.dumps({table.__name__: [repr(row) for row in rows] for table, rows in tables.items()}))
"""


def test_a_recorded_procfs_through_psutil(tmp_path):
    proc, root = tmp_path / "proc", tmp_path / "root"
    for name, text in RECORDED.items():
        (proc / name).parent.mkdir(parents=True, exist_ok=True)
        (proc / name).write_text(text, encoding="ascii")
    strange = ["a b", "tab\there", "two\nlines", "back\\slash", "latin \udce9"]
    for name in ["", *strange]:
        (root / name).mkdir()
    escapes = str.maketrans({" ": r"\040", "\t": r"\011", "\n": r"\012", "\\": r"\134"})
    lines = [f"/dev/vdb {str(root / name).translate(escapes)} ext4 rw 0 0\n" for name in ["", *strange, "vanished"]]
    (proc / "self").mkdir()
    (proc / "self/mounts").write_bytes("".join(["none /own overlay rw 0 0\n", *lines]).encode(errors="surrogateescape"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ, proc, root], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    tables = json.loads(done.stdout)
    mounted = [text.partition("mountpoint=")[2].partition(", device=")[0] for text in tables["HostFilesystem"]]
    assert mounted == [repr("/"), *(repr("/" + name) for name in strange)]
    assert "memory_cached_bytes=209920" in tables["Host"][0]
    assert "memory_available_bytes=614400" in tables["Host"][0]
    assert "swap_used_bytes=61440" in tables["Host"][0]
    assert "boot_timestamp_seconds=1790000000.0" in tables["Host"][0]
    assert tables["HostDisk"] == [repr(HostDisk("sda", 8192, 16384))]
    assert tables["HostNetwork"] == [repr(HostNetwork("lo", 7, 7)), repr(HostNetwork("eth0", 20, 10))]
    assert repr(HostCpu("0", "user", 1.0)) in tables["HostCpu"]
    assert repr(HostCpu("3", "idle", 2.0)) in tables["HostCpu"]
    assert len(tables["HostCpu"]) == 16

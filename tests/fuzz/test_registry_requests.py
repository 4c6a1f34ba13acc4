"""Random requests to a real registry: never a 5xx, never a log line, and the metrics are there afterwards.

500 requests and 20,000 junk ids unless ROLLCALL_FULL=1: then 10,000, and a million.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.payloads import broken
from tests.fuzz.test_accept import FIELD
from tests.promises.recording import Measured
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.real.scale import FULL, LONG
from tests.real.twins import WORKERS, Side

REQUESTS, JUNK, LIMIT, TOGETHER = (10_000, 1_000_000, 50_000, 1000) if FULL else (500, 20_000, 2000, 200)

CONFIGURATION = (
    "host: {{enabled: false}}\ngpu: {{enabled: false}}\n"
    "registry: {{enabled: true, fleet: local, rate: 1000000, workers: {workers}}}\n"
)


class Sent(NamedTuple):
    """A request as bytes; `whole` where there is an answer to it."""

    data: bytes
    whole: bool


BODIES = (
    ({"heartbeat_stats": {"a": 1, "gpus": [{"gpu": "x", "util_pct": 1.5}]}}, {"heartbeat_stats"}),
    ({"heartbeats": {"a": {"x": 1}, "b": None}}, {"heartbeats"}),
    ({"claimed": True, "rollout_id": "r", "attempt_id": "a"}, {"claimed", "rollout_id", "attempt_id"}),
    ({"rollout_id": "r", "attempt_id": "a", "status": "running"}, {"rollout_id", "attempt_id", "status"}),
    (
        {"status_in": ["idle"], "worker_id_contains": "a", "sort_by": "status", "limit": 5, "offset": 0},
        {"status_in", "worker_id_contains", "sort_by", "limit", "offset"},
    ),
)
TEXT = st.one_of(
    st.sampled_from(
        ["a", "b", "search", "heartbeats", "%00", "%ff", "%2F", "..", "%0d%0aX:%20y", "x" * 600, "%E2%80%AE", "{}"]
    ),
    st.binary(max_size=6).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw)),
)
TARGETS = st.one_of(
    st.builds(lambda worker: f"{WORKERS}/{worker}", TEXT),
    st.builds(
        lambda worker, verb: f"{WORKERS}/{worker}/{verb}", TEXT, st.sampled_from(["dequeue", "attempt", "x", ""])
    ),
    st.builds(
        lambda pairs: f"{WORKERS}?" + "&".join(f"{name}={value}" for name, value in pairs),
        st.lists(
            st.tuples(
                st.sampled_from(
                    ["status_in", "worker_id_contains", "limit", "offset", "sort_by", "sort_order", "filter_logic"]
                ),
                TEXT
                | st.sampled_from(["-1", "1", "0", "9" * 30, "idle", "desc", "or", "status", "heartbeat_stats", ""]),
            ),
            max_size=4,
        ),
    ),
    st.sampled_from(
        [f"{WORKERS}/search", f"{WORKERS}/heartbeats", "/v1/agl/health", "/v1/agl/", "/", "/api/v1/workers/a"]
    ),
    st.sampled_from(
        [
            "/metrics",
            "/metrics?x=1",
            "/-/healthy",
            "/-/ready",
            "/-/reload",
            "/api/v1/nodes/%00",
            "/api/v1/nodes/a?fleet=x",
        ]
    ),
)
METHODS = st.sampled_from(["POST", "POST", "POST", "GET", "GET", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "BREW"])
FIELDS = st.fixed_dictionaries(
    {
        "Host": st.sampled_from(["localhost", "localhost", "127.0.0.1:1", "[::1]", "evil.example", ""]),
        "Content-Type": st.sampled_from(
            ["application/json", "application/json", "application/json", "text/plain", "", "\xff"]
        ),
    },
    optional={
        "Origin": st.sampled_from(["http://localhost", "http://evil.example", "null", ""]),
        "Authorization": st.sampled_from(["Bearer x", "Basic", ""]),
        "Expect": st.sampled_from(["100-continue", "x"]),
        "Upgrade": st.just("h2c"),
        "Accept": FIELD,
        "Accept-Encoding": st.just("gzip") | FIELD,
        "X-Forwarded-For": st.sampled_from(["10.0.0.1", "x"]),
    },
)
PAYLOADS = st.one_of(
    *[broken(captured, frozenset(keys)) for captured, keys in BODIES],
    *[st.just(json.dumps(captured).encode()) for captured, _ in BODIES],
    st.binary(max_size=30),
    st.sampled_from([b"", b"{}", b"null", b" " * 70_000, b"[" * 60_000, b'{"heartbeat_stats":' + b'{"a":' * 5000]),
)


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """A request with a body of true length, in one piece or in chunks; now and then a broken one."""
    fields, body = draw(FIELDS), draw(PAYLOADS)
    head = f"{draw(METHODS)} {draw(TARGETS)} HTTP/1.1\r\n" + "".join(
        f"{name}: {text}\r\n" for name, text in fields.items()
    )
    way = draw(st.sampled_from(["length"] * 6 + ["chunks", "cut", "spoiled"]))
    if way == "chunks":
        pieces = [body[at : at + 7000] for at in range(0, len(body), 7000)]
        said = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        return Sent(head.encode("latin-1") + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + said, True)
    data = head.encode("latin-1") + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    if way == "cut":
        return Sent(data[: draw(st.integers(0, len(data) - 1))], False)
    if way == "spoiled":
        at = draw(st.integers(0, len(data)))
        return Sent(data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at:], False)
    return Sent(data, True)


def exchange(port: int, sent: Sent) -> int | None:
    """Send a request over a connection of its own; the status of the answer, None where none is waited for."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(sent.data)
        if not sent.whole:
            return None
        response = http.client.HTTPResponse(client, method=sent.data.partition(b" ")[0].decode())
        response.begin()
        response.read()
        return response.status


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollcall]:
    with Rollcall(tmp_path_factory.mktemp("fuzzed"), CONFIGURATION.format(workers=50_000)) as started:
        yield started


@pytest.mark.promise("Fuzzing", "Any request to a running exporter, its registry included, is answered below 500")
@pytest.mark.timeout(LONG * 2)
def test_no_request_breaks_it(registry: Rollcall, measured: Measured) -> None:
    port = int(registry.url.rpartition(":")[2])
    answered: Counter[int | None] = Counter()

    @settings(
        max_examples=REQUESTS,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(requests())
    def send(sent: Sent) -> None:
        status = exchange(port, sent)
        assert status is None or status < 500, sent
        answered[status] += 1

    send()
    measured("cases", answered.total(), "")
    wanted = {HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, 405, 422}
    assert wanted <= answered.keys(), answered
    samples = registry.scrape()
    assert samples.value("rollcall_source_up", fleet="local", kind="registry") == 1
    for reason in ("host", "content_type"):
        assert samples.value("rollcall_registry_rejected_total", reason=reason)
    assert not re.search(r"level=(?!info)|Traceback", registry.output())


def shown(rollcall: Rollcall) -> float:
    """How many workers the metrics count."""
    return sum(value for _, value in rollcall.scrape().find("rollcall_workers", fleet="local"))


def resident(pid: int) -> int:
    """Bytes of memory that a process takes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.timeout(LONG * 2)
def test_junk_ids_end_at_the_limit(tmp_path: Path) -> None:
    with Rollcall(tmp_path, CONFIGURATION.format(workers=LIMIT)) as rollcall:
        side = Side(int(rollcall.url.rpartition(":")[2]))
        statuses: Counter[int] = Counter()
        at_limit = 0
        for _ in range(JUNK // TOGETHER):
            ids = [os.urandom(8).hex() for _ in range(TOGETHER)]
            body = json.dumps({"heartbeats": {worker: {"cpu_usage_pct": 1.0} for worker in ids}}).encode()
            statuses[side.ask("POST", f"{WORKERS}/heartbeats", body).status] += 1
            if not at_limit and statuses[429]:
                while side.ask("POST", f"{WORKERS}/{os.urandom(8).hex()}", b"{}").status == 200:
                    pass
                statuses[429] += 1
                wait_until(lambda: shown(rollcall) == LIMIT, "all that there may be in the metrics")
                at_limit = resident(rollcall.process.pid)
        assert side.ask("GET", f"{WORKERS}?limit=1").value()["total"] == LIMIT
        assert shown(rollcall) == LIMIT
        counted = rollcall.scrape().value("rollcall_registry_rejected_total", reason="workers")
        assert counted == statuses[429] == JUNK // TOGETHER - statuses[200] + 1
        grown = resident(rollcall.process.pid) - at_limit
        print(f"{JUNK} junk ids: {LIMIT} workers in {at_limit / 2**20:.0f} MiB, and then {grown / 2**20:+.0f} MiB")
        assert grown < 64 * 2**20 + at_limit // 4
        side.close()

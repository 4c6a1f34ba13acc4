"""Canaries as mesh token, store key and URL password are nowhere in metrics, pages and logs, whatever upstreams do.

The upstreams echo what they were sent in bodies, reasons, header lines, chunks and a redirect's credentials and query;
not in what an error quotes: Content-Length, Content-Encoding, Transfer-Encoding and the path of a Location.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.real.process import free_port, wait_until
from tests.real.rollcall import OPENMETRICS, TEXT, Rollcall
from tests.real.test_process import run
from tests.real.web import Answer, Asked, WebServer
from tests.unit.loopback import Loopback, Peer, answer

TOKEN, KEY, PASSWORD = "canary-token-5Jw8", "canary-key-9Qe2", "canary-password-7Rm4"
BASIC = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
SECRETS = {"token": TOKEN, "key": KEY, "password": PASSWORD, "basic credentials": BASIC}

CAPTURED = Path(__file__).parents[1] / "golden/mesh-llm-0.66.0/status-serving.json"
SERVING = json.loads(CAPTURED.read_text())


def echoes(mode: str, secrets: str) -> bytes:
    """An answer that fails in some way and repeats the secrets; a mesh's payload where the mode is unknown."""
    body = json.dumps({"token": TOKEN, "error": secrets, "items": [secrets], "total": secrets}).encode()
    match mode:
        case "status-500":
            return answer(body, f"X-Echo: {secrets}", status=f"500 {secrets}")
        case "status-401":
            return answer(body, f'WWW-Authenticate: Basic realm="{secrets}"', status="401 Unauthorized")
        case "redirect":
            return answer(
                b"", f"Location: http://reader:{PASSWORD}@127.0.0.1/?token={TOKEN}&key={KEY}", status="302 Found"
            )
        case "malformed":
            return answer(body[:-9])
        case "wrong-types":
            return answer(body)
        case "truncated":
            return answer(body)[:-9]
        case "status-line":
            return f"HTTP/9 {secrets}\r\n\r\n".encode()
        case "headers":
            return f"HTTP/1.1 200 OK\r\n{secrets}\r\n {secrets}: x\r\n\r\n".encode()
        case "chunks":
            return f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{secrets}\r\n".encode()
        case "encoding":
            return answer(body, "Content-Encoding: br", f"Date: {secrets}", f"Content-Type: {secrets}")
        case "gzip":
            return answer(body, "Content-Encoding: gzip")
    return answer(json.dumps({**SERVING, "token": TOKEN}).encode())


MODES = (
    "status-500",
    "status-401",
    "redirect",
    "malformed",
    "wrong-types",
    "truncated",
    "status-line",
    "headers",
    "chunks",
    "encoding",
    "gzip",
    "ok",
)


def misbehave(head: str) -> bytes:
    """Answer a request as its path says."""
    mode = re.match(r"GET /([a-z0-9-]+)/", head)
    sent = re.search(r"(?m)^Authorization: (.*?)\r$", head)
    return echoes(mode[1] if mode else "ok", f"{sent[1] if sent else ''} {TOKEN} {KEY} {PASSWORD} {BASIC}")


@pytest.fixture(scope="module")
def hung() -> Iterator[WebServer]:
    over = threading.Event()

    def hang(_: Asked) -> Answer:
        over.wait(120)
        return Answer(503, b"")

    with WebServer(hang) as server:
        yield server
        over.set()


def configuration(folder: Path, port: int, hung: int) -> str:
    """A mesh and a store for each way to fail; the keys come from the file, from a file and from the environment."""
    (folder / "key").write_text(KEY + "\n")
    places = [f"127.0.0.1:{port}/{mode}" for mode in MODES] + [f"127.0.0.1:{hung}", f"127.0.0.1:{free_port()}"]
    keys = ({"key": KEY}, {"key_file": str(folder / "key")}, {"key_env": "STORE_KEY"})
    timing = {"interval": "500ms", "timeout": "2s"}
    meshes = [{"fleet": "mesh", "urls": [f"http://reader:{PASSWORD}@{place}" for place in places], **timing}]
    stores = [
        {"fleet": f"store-{number}", "url": f"http://{place}", **keys[number % 3], **timing}
        for number, place in enumerate(places)
    ]
    return yaml.safe_dump({"gpu": {"enabled": False}, "meshes": meshes, "stores": stores})


@pytest.mark.promise("Secrets", "No key, password or token of an upstream is in any answer or log, whatever it echoes")
@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_canaries_are_nowhere(form: str, hung: WebServer, tmp_path: Path) -> None:
    def converse(peer: Peer) -> None:
        if peer.head():
            peer.send(misbehave(upstream.heads[-1]))

    with Loopback(converse) as upstream:
        text = configuration(tmp_path, upstream.port, hung.port)
        arguments = ("--log.level", "debug", "--log.format", form)
        with Rollcall(tmp_path, text, *arguments, environ={"STORE_KEY": KEY}) as rollcall:
            wait_until(lambda: rollcall.get("/-/ready").status == 200, "every source to be read")
            samples = rollcall.scrape()
            paths = ("/metrics", "/", "/-/healthy", "/-/ready", "/nothing", f"/{KEY}")
            seen = {path: b"".join(_whole(rollcall, path, accept) for accept in (TEXT, OPENMETRICS)) for path in paths}
        heads = "".join(upstream.heads)
    for kind, secret in SECRETS.items():
        assert (secret in heads) == (kind in ("key", "basic credentials")), "what an upstream is sent"
        for path, answered in seen.items():
            assert secret.encode() not in answered, f"the {kind} in {path}"
        assert secret not in rollcall.output(), f"the {kind} in the log"
    results = {labels["result"] for labels, value in samples.find("rollcall_source_reads_total") if value}
    assert {"ok", "http", "redirect", "malformed", "timeout", "refused"} <= results
    assert samples.value("rollcall_source_up", fleet="mesh", source=f"127.0.0.1:{upstream.port}/ok") == 1
    assert ('"result": "http"' if form == "json" else "result=http") in rollcall.output()
    assert "Traceback" not in rollcall.output()


def _whole(rollcall: Rollcall, path: str, accept: str) -> bytes:
    answered = rollcall.get(path, accept)
    return repr(sorted(answered.headers.items())).encode() + answered.body


WRONG = {
    "URL without host": f"meshes: [{{fleet: a, urls: ['http://reader:{PASSWORD}@']}}]\n",
    "URL with query": f"meshes: [{{fleet: a, urls: ['http://reader:{PASSWORD}@h/?x=1']}}]\n",
    "key that is a list": f"stores: [{{fleet: a, url: 'http://h', key: [{KEY}]}}]\n",
    "key with a blank": f"stores: [{{fleet: a, url: 'http://h', key: '{KEY} x'}}]\n",
    "key beside a password": f"stores: [{{fleet: a, url: 'http://reader:{PASSWORD}@h', key: {KEY}}}]\n",
    "key twice": f"stores: [{{fleet: a, url: 'http://h', key: {KEY}, key: {KEY}}}]\n",
    "variable that is not there": f"stores: [{{fleet: a, url: 'http://h', key_env: {KEY}}}]\n",
    "broken YAML": f"stores: [{{fleet: a, url: 'http://h', key: '{KEY}\n",
}


@pytest.mark.promise("Secrets", "No complaint of check-config shows a secret of the configuration")
@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_canaries_are_not_in_complaints(text: str, tmp_path: Path) -> None:
    file = tmp_path / "rollcall.yaml"
    file.write_text(text)
    ended = run("check-config", str(file))
    assert ended.returncode == 2
    assert str(file) in ended.stderr
    for kind, secret in SECRETS.items():
        assert secret not in ended.stderr + ended.stdout, f"the {kind}"

"""Canaries as users, passwords, hashes, keys of certificates and the registry's token come out nowhere.

They are in the web configuration, in `tls_config` of an upstream, in files that are good, broken and good again, and in
what clients send to log in with; at log level debug. Only an error in a user's entry names the user.
"""

from __future__ import annotations

import base64
import http.client
import re
import secrets
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
import yaml

from tests.promises.recording import Measured
from tests.real.process import wait_until
from tests.real.rollcall import OPENMETRICS, TEXT, Rollcall
from tests.real.scale import FULL
from tests.real.test_process import run
from tests.unit.certificates import Authority
from tests.unit.loopback import Loopback, answer, sends

MACHINE = {"host": {"enabled": False}, "gpu": {"enabled": False}}
USER, PASSWORD, GUESS, TOKEN, KEY = (f"canary-{kind}-8Vx3" for kind in ("user", "password", "guess", "token", "key"))
PLACE = f"basic_auth_users.{USER}".encode()
"""Where an error is: the one thing that names a user."""

JSON = {"Content-Type": "application/json"}


class Guarded(Rollcall):
    """An exporter over TLS with a user, a registry with a token, and a store that asks for a certificate and a key."""

    def __init__(self, folder: Path, upstream: int, form: str) -> None:
        self.folder = folder
        self.hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (folder / "token").write_text(TOKEN)
        self.web()
        self.tree = {
            **MACHINE,
            "web": {"config_file": "web.yml"},
            "registry": {"token_file": "token"},
            "stores": [
                {
                    "fleet": "eu",
                    "url": f"https://127.0.0.1:{upstream}",
                    "key": KEY,
                    "tls_config": {"ca_file": "ca.pem", "cert_file": "own.pem", "key_file": "own.key"},
                    "interval": "200ms",
                    "timeout": "2s",
                }
            ],
        }
        super().__init__(folder, yaml.safe_dump(self.tree), "--log.level", "debug", "--log.format", form)

    def web(self, key: str = "server.key", **users: str) -> None:
        """Write the web configuration."""
        server = {"cert_file": "server.pem", "key_file": key}
        tree = {"tls_server_config": server, "basic_auth_users": {USER: self.hashed, **users}}
        self.replace("web.yml", yaml.safe_dump(tree))

    def replace(self, name: str, text: str) -> None:
        """Put a file in place of another, at once: half of one would be one failure more."""
        (self.folder / "new").write_text(text)
        (self.folder / "new").replace(self.folder / name)

    def told(self, path: str, login: str = "", method: str = "GET", accept: str = TEXT, body: bytes = b"") -> bytes:
        """The head and body of an answer; `login` is what the Authorization header says."""
        port = int(self.url.rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
        fields = {"Accept": accept, **JSON, **({"Authorization": login} if login else {})}
        try:
            connection.request(method, path, body, fields)
            with connection.getresponse() as response:
                return f"{response.status} {response.getheaders()}\n".encode() + response.read()
        finally:
            connection.close()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


LOGINS = (
    *("", basic(USER, PASSWORD), basic(USER, GUESS), basic(f"{USER}x", PASSWORD)),
    *(f"Bearer {TOKEN}", f"Bearer {GUESS}", "Basic canary-broken-8Vx3", f"Digest {GUESS}", "Basic"),
)
PATHS = ("/metrics", "/", "/-/ready", "/nothing", f"/?token={TOKEN}", "/api/v1/workers/w", "/api/v1/nodes/n?fleet=eu")


def asked(rollcall: Guarded) -> Iterator[bytes]:
    """What clients are told, whatever they log in with."""
    for login in LOGINS:
        for path in PATHS:
            yield rollcall.told(path, login)
        yield rollcall.told("/metrics", login, accept=OPENMETRICS)
        yield rollcall.told("/-/reload", login, "POST")
        yield rollcall.told("/v1/agl/workers/w", login, "POST", body=b'{"heartbeat_stats": {"host": "h"}}')
        yield rollcall.told("/v1/agl/workers", login)


def broken(rollcall: Guarded) -> Iterator[bytes]:
    """What is told of files that cannot be followed."""
    right = basic(USER, PASSWORD)

    def failed(times: int) -> bool:
        return f"rollcall_web_config_failed_reloads_total {times}\n".encode() in rollcall.told("/metrics", right)

    wrong = (
        lambda: rollcall.web(**{f"{USER}-2": PASSWORD}),
        lambda: rollcall.web(key="other.key"),
        lambda: rollcall.web(key="broken.key"),
        lambda: rollcall.replace("web.yml", f"basic_auth_users: {{{USER}: [{rollcall.hashed}]}}\n"),
        lambda: rollcall.replace("web.yml", f"basic_auth_users: {{{USER}: '{PASSWORD}\n"),
    )
    for times, write in enumerate(wrong, 1):
        write()
        wait_until(lambda times=times: failed(times), "the web configuration not to be followed")  # type: ignore[misc]
        ended = run("check-config", str(rollcall.folder / "rollcall.yaml"))
        assert (ended.returncode, "web.yml" in ended.stderr) == (2, True)
        yield (ended.stdout + ended.stderr).encode()
    rollcall.web()
    own = (rollcall.folder / "own.key").read_text()
    (rollcall.folder / "own.key").write_text((rollcall.folder / "broken.key").read_text())
    store = rollcall.tree["stores"][0] | {"key": [KEY]}  # type: ignore[index]
    (rollcall.folder / "rollcall.yaml").write_text(yaml.safe_dump({**rollcall.tree, "stores": [store]}))
    yield rollcall.told("/-/reload", right, "POST")
    ended = run("check-config", str(rollcall.folder / "rollcall.yaml"))
    assert ended.returncode == 2
    yield (ended.stdout + ended.stderr).encode()
    (rollcall.folder / "rollcall.yaml").write_text(yaml.safe_dump(rollcall.tree))
    yield rollcall.told("/-/reload", right, "POST")
    (rollcall.folder / "own.key").write_text(own)
    (rollcall.folder / "token").write_text(f"{TOKEN} {TOKEN}")
    yield rollcall.told("/-/reload", right, "POST")
    (rollcall.folder / "token").write_text(TOKEN)
    rollcall.send(signal.SIGHUP)


def canaries(rollcall: Guarded) -> dict[str, str]:
    """What must not come out."""
    keys = {name: (rollcall.folder / f"{name}.key").read_text().split("\n")[1] for name in ("server", "own", "other")}
    return {
        **dict(zip(("user", "password", "guess", "token", "key"), (USER, PASSWORD, GUESS, TOKEN, KEY), strict=True)),
        "hash": rollcall.hashed,
        **{f"key of {name}": text for name, text in keys.items()},
        **{f"login {number}": login.partition(" ")[2] for number, login in enumerate(LOGINS) if " " in login},
    }


@pytest.mark.promise(
    "Secrets", "No user, password, hash, token or private key is in any answer, log, complaint or file"
)
@pytest.mark.parametrize("form", ["logfmt", "json"] if FULL else ["logfmt"])
def test_no_secret_of_a_guarded_exporter_comes_out(form: str, tmp_path: Path, measured: Measured) -> None:
    authority = Authority(tmp_path)
    for name in ("server", "own", "other"):
        authority.sign(name)
    middle = secrets.token_urlsafe(48)
    (tmp_path / "broken.key").write_text(f"-----BEGIN PRIVATE KEY-----\n{middle}\n-----END PRIVATE KEY-----\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(tmp_path / "ca.pem")
    page = answer(f"{KEY} {TOKEN}".encode(), f"WWW-Authenticate: Basic realm={KEY}", status=f"401 {KEY}")
    with Loopback(sends(page), tls=context) as upstream, Guarded(tmp_path, upstream.port, form) as rollcall:
        wait_until(lambda: upstream.heads, "a read of the store")
        told = [*asked(rollcall), *broken(rollcall)]
        reloads = "the configuration is loaded again"
        wait_until(lambda: rollcall.output().count(reloads) > 1, "a reload by SIGHUP")
        found = {**canaries(rollcall), "broken key": middle}
        log = rollcall.output()
    assert f"Bearer {KEY}" in upstream.heads[0]
    assert {answered[:3] for answered in told} >= {b"200", b"401", b"404", b"500"}
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    outputs = {"log": log.encode(), **{f"answer {number}": text for number, text in enumerate(told)}}
    kept = {path.name: path.read_bytes() for path in files}
    shown = [
        f"the {kind} in {place}"
        for kind, canary in found.items()
        for place, text in {**outputs, **kept}.items()
        if canary.encode() in text.replace(PLACE, b"")
    ]
    assert shown == []
    assert not re.search("Traceback", log)
    assert {"registry.db", "rollcall.db"} <= set(kept)
    measured("outputs", len(outputs), "")
    measured("files", len(kept), "")

"""Broken configuration files: a configuration that can be followed, or lines that say what is wrong and where."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from exporter.config import Config, ConfigError, parse, text_of
from exporter.plan import Sources
from exporter.web.file import Web
from exporter.web.file import parse as parse_web
from tests.fuzz.conftest import Fuzz
from tests.fuzz.documents import documents
from tests.unit.certificates import Authority

FOLDER = Path("/etc/rollcall")
LONGEST = 400
HASH = "$2y$04$" + "abcdefghijklmnopqrstuO" + "0123456789abcdefghijklmnopqrstu"

CONFIGURATION = yaml.safe_load("""
web: {listen_address: "[::]:10470", config_file: web.yml}
state_dir: /srv/rollcall
meshes:
  - {fleet: eu, urls: ["http://gamma-01", "https://u:p@beta/mesh/"], interval: 20s, timeout: 7s, stale_after: 1m30s}
  - {fleet: us, urls: ["https://delta"], ca_file: s.pem, username: a, password_file: word}
stores:
  - {fleet: training, url: "http://trainer", heartbeat_timeout: 2m, forget_after: 1w, key_file: word}
  - fleet: eu
    url: https://trainer-2:80/agl
    key_env: KEY
    tls_config: {ca_file: s.pem, cert_file: s.pem, key_file: s.key, server_name: trainer.example}
inventories:
  - {fleet: eu, file: wakeable.yaml, interval: 30s}
  - {fleet: eu, url: "https://capacity.example/list", key: k}
registry: {enabled: true, fleet: local, heartbeat_timeout: 45s, retention: 24h, token_file: word, rate: 10, workers: 5}
host: {enabled: false, procfs: /host/proc, rootfs: /host}
gpu: {enabled: auto}
limits: {series: 1, objects: 2, assignments: 3}
families: {deny: ["rollcall_worker_gpu_.*", rollcall_host_.*]}
privacy: hash
tombstone: 90m
""")
WEB = yaml.safe_load(f"""
tls_server_config:
  cert_file: s.pem
  key_file: s.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: s.pem
  client_allowed_sans: [prometheus.example]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
  prefer_server_cipher_suites: true
  curve_preferences: [X25519]
http_server_config:
  http2: true
  headers: {{Strict-Transport-Security: max-age=1, X-Content-Type-Options: nosniff, X-XSS-Protection: "0"}}
basic_auth_users: {{prometheus: "{HASH}", alice: "{HASH}"}}
rate_limit: {{interval: 1m30.5s, burst: 20}}
""")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pki")
    Authority(folder).sign("s")
    return {name: (folder / name).read_text() for name in ("s.pem", "s.key")} | {"word": "secret\n"}


def reader(files: dict[str, str]) -> Callable[[Path], str]:
    def read_file(path: Path) -> str:
        if path.parent != FOLDER or path.name not in files:
            raise FileNotFoundError(2, "No such file or directory")
        return files[path.name]

    return read_file


def taken(data: bytes, name: str, read: Callable[[str, str], Any]) -> Any:
    """What becomes of a file; a ConfigError must name the file in each line, and hold no line that is long."""
    path = FOLDER / name
    try:
        return read(text_of(path, lambda _: data.decode().replace("\r\n", "\n")), str(path))
    except ConfigError as error:
        lines = error.lines
    assert lines
    for line in lines:
        assert re.search(rf"\({re.escape(str(path))}:\d+\)$", line), line
        assert line.isprintable(), line
        assert len(line) < LONGEST, line
    return lines


@pytest.mark.promise("Fuzzing", "A broken configuration file gives a configuration, or lines that say what and where")
def test_configurations(fuzz: Fuzz, files: dict[str, str]) -> None:
    read_file = reader(files)
    whole = taken(yaml.safe_dump(CONFIGURATION).encode(), "r.yaml", lambda *said: parse(*said, {"KEY": "k"}, read_file))
    assert isinstance(whole, Config), whole

    kinds: set[type] = set()

    def check(data: bytes) -> None:
        found = taken(data, "r.yaml", lambda *said: parse(*said, {"KEY": "k"}, read_file))
        if isinstance(found, Config):
            assert "secret" not in repr(found)
        kinds.add(type(found))

    fuzz(check, documents(CONFIGURATION), times=3, bounded=150)
    assert kinds == {Config, tuple}


@pytest.mark.promise("Fuzzing", "Sources that a broken configuration file still names are made, each with its labels")
def test_sources_of_what_is_left(fuzz: Fuzz, files: dict[str, str]) -> None:
    meshes = {key: CONFIGURATION[key] for key in ("meshes", "stores", "inventories")}

    def check(data: bytes) -> None:
        found = taken(data, "r.yaml", lambda *said: parse(*said, {"KEY": "k"}, reader(files)))
        if isinstance(found, Config):
            made = [(source.kind, source.fleet, source.name) for source in Sources().of(found)]
            assert len(set(made)) == len(made)
            assert all(fleet and name for _, fleet, name in made)

    fuzz(check, documents(meshes), bounded=50)


@pytest.mark.promise("Fuzzing", "A broken web configuration file is served by, or refused in lines that say what")
def test_web_configurations(fuzz: Fuzz, files: dict[str, str]) -> None:
    read_file = reader(files)
    whole = taken(yaml.safe_dump(WEB).encode(), "web.yml", lambda *said: parse_web(*said, read_file))
    assert isinstance(whole, Web), whole
    kinds: set[type] = set()
    said_of_tls = st.sampled_from([WEB, {"tls_server_config": WEB["tls_server_config"]}])

    def check(data: bytes) -> None:
        found = taken(data, "web.yml", lambda *said: parse_web(*said, read_file))
        if isinstance(found, Web):
            assert found.context is None or found.context.verify_mode in (ssl.CERT_NONE, ssl.CERT_REQUIRED)
            assert HASH not in repr(found)
        kinds.add(type(found))

    fuzz(check, said_of_tls.flatmap(documents), times=2, bounded=150)
    assert kinds == {Web, tuple}

"""`rollcall serve` over TLS with users: Prometheus through rotations, idle and guessing clients, the registry."""

from __future__ import annotations

import base64
import contextlib
import http.client
import shutil
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest
import yaml

from tests.promises.recording import Measured
from tests.real.monitoring import Prometheus
from tests.real.process import Process, wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import Answer
from tests.unit.certificates import Authority
from tests.unit.handshakes import trusting

MACHINE = {"host": {"enabled": False}, "gpu": {"enabled": False}}
TLS = "tls_server_config: {cert_file: s.pem, key_file: s.key}\n"
RIGHT = "prometheus:right"
JOBS = 10
IDLE = 30


class Secured(Rollcall):
    """An exporter over TLS with the user `prometheus`, whose password is `right`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        for name in ("one", "two"):
            self.authority.sign(name)
        self.serve("one")
        (folder / "token").write_text("registry-token")
        self.write("right")
        said = MACHINE | {"web": {"config_file": "web.yml"}, "registry": {"token_file": "token"}}
        super().__init__(folder, yaml.safe_dump(said))

    def write(self, password: str, users: int = 1) -> None:
        """Write the web configuration; further users have the same password."""
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(8)).decode()
        names = ["prometheus", *(f"user{number}" for number in range(1, users))]
        text = TLS + yaml.safe_dump({"basic_auth_users": dict.fromkeys(names, hashed)})
        self._replace("web.yml", text)

    def serve(self, name: str) -> None:
        """Put a certificate, and after it its key, in place of those that are served."""
        self._replace("s.pem", (self.folder / f"{name}.pem").read_text())
        self._replace("s.key", (self.folder / f"{name}.key").read_text())

    def _replace(self, name: str, text: str) -> None:
        (self.folder / "new").write_text(text)
        (self.folder / "new").replace(self.folder / name)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def connect(self) -> http.client.HTTPSConnection:
        """A connection that trusts the authority."""
        context = trusting(str(self.authority.pem))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)

    def asked(
        self, path: str = "/metrics", login: str = "prometheus:right", method: str = "GET", **more: str
    ) -> Answer:
        """One request over a connection of its own."""
        headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {}
        connection = self.connect()
        try:
            connection.request(method, path, more.pop("body", None), headers | more)
            with connection.getresponse() as response:
                return Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
        finally:
            connection.close()

    def served(self) -> str:
        """The common name of the certificate that a handshake shows now."""
        connection = self.connect()
        connection.connect()
        certificate = connection.sock.getpeercert()  # type: ignore[attr-defined]
        connection.close()
        return str(dict(part[0] for part in certificate["subject"])["commonName"])

    def descriptors(self) -> int:
        """How many files and sockets the process has open."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def at_rest(self) -> int:
        """The same once those who were served are gone: when it has not changed in many looks in a row."""
        looks: deque[int] = deque(maxlen=30)

        def rests() -> bool:
            looks.append(self.descriptors())
            return len(looks) == looks.maxlen and len(set(looks)) == 1

        wait_until(rests, "every connection of before to be closed")
        return looks[0]


@pytest.fixture(scope="module")
def rollcall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with Secured(tmp_path_factory.mktemp("secured")) as started:
        assert started.url.startswith("https://")
        yield started
        assert "Traceback" not in started.output()


def scrapes(rollcall: Secured, folder: Path) -> None:
    """Prometheus' configuration: jobs that open a new connection for each scrape, and one that keeps its own."""
    (folder / "password").write_text("right")
    shutil.copy(rollcall.authority.pem, folder / "ca.pem")
    job = {
        "scheme": "https",
        "tls_config": {"ca_file": "ca.pem"},
        "basic_auth": {"username": "prometheus", "password_file": "password"},
        "static_configs": [{"targets": [f"127.0.0.1:{rollcall.port}"]}],
        # The server closes a connection that is idle for 5 s.
        "scrape_interval": "6s",
        "scrape_timeout": "5s",
    }
    often = {"job_name": "often", "scrape_interval": "2s", "scrape_timeout": "2s"}
    jobs = [job | {"job_name": f"new{number}"} for number in range(JOBS)] + [job | often]
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": jobs}))


@pytest.mark.promise("Access", "certificates and users change without a failed scrape")
def test_certificates_and_users_change_without_a_failed_scrape(
    rollcall: Secured, tmp_path: Path, measured: Measured
) -> None:
    scrapes(rollcall, tmp_path)
    with Prometheus(tmp_path) as prometheus:
        wait_until(lambda: prometheus.query(f"count(up == 1) == {JOBS + 1}"), "every job to have scraped")
        for number, name in enumerate(("two", "one", "two", "one"), 1):
            rollcall.serve(name)
            rollcall.write("right", users=number + 1)
            wait_until(lambda name=name: rollcall.served() == name, f"the certificate of {name}")  # type: ignore[misc]
            wait_until(lambda n=number: rollcall.asked("/", f"user{n}:right").status == 200, "the new user")  # type: ignore[misc]
        wait_until(lambda: prometheus.query(f"count(count_over_time(up[5m]) >= 2) == {JOBS + 1}"), "scrapes after that")
        ((done),) = prometheus.query("sum(count_over_time(up[5m]))")
        ((good),) = prometheus.query("sum(sum_over_time(up[5m]))")
    assert done["value"][1] == good["value"][1]
    measured("scrapes through 4 rotations", float(done["value"][1]), "")
    measured("failed", float(done["value"][1]) - float(good["value"][1]), "")
    rollcall.write("right")


def test_a_broken_certificate_leaves_the_old_one_and_says_so(rollcall: Secured) -> None:
    def found(name: str) -> str:
        text = rollcall.asked().body.decode()
        return next(line.split()[1] for line in text.splitlines() if line.startswith(name + " "))

    failed = float(found("rollcall_web_config_failed_reloads_total"))
    rollcall._replace("s.pem", "nonsense")
    wait_until(lambda: found("rollcall_web_config_last_reload_successful") == "0", "the change to be refused")
    assert float(found("rollcall_web_config_failed_reloads_total")) == failed + 1
    assert rollcall.served() == "one"
    rollcall.serve("one")
    wait_until(lambda: found("rollcall_web_config_last_reload_successful") == "1", "the change to be followed")


@pytest.mark.promise("Clients", "30 idle TLS clients hold up nobody and are gone in 10 s")
def test_idle_tls_clients_hold_up_nobody(rollcall: Secured, measured: Measured) -> None:
    rollcall.asked()
    before = rollcall.at_rest()
    started = time.monotonic()
    with contextlib.ExitStack() as clients:
        where = ("127.0.0.1", rollcall.port)
        idle = [clients.enter_context(socket.create_connection(where, 60)) for _ in range(IDLE)]
        for client in idle[: IDLE // 2]:
            client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        wait_until(lambda: rollcall.descriptors() >= before + IDLE, "the connections to be taken")
        slowest = max(_seconds(lambda: rollcall.asked().status == 200) for _ in range(5))
        for client in idle:
            _read_to_the_end(client)
    measured("idle connections gone after", time.monotonic() - started, "s")
    measured("slowest scrape meanwhile", slowest, "s")
    wait_until(lambda: rollcall.descriptors() <= before, "every connection to be freed")


def _seconds(work: Callable[[], bool]) -> float:
    started = time.monotonic()
    assert work()
    return time.monotonic() - started


def _read_to_the_end(client: socket.socket) -> None:
    with contextlib.suppress(ConnectionError):
        while client.recv(4096):
            pass


@pytest.mark.promise("Access", "bad logins do not starve scrapes")
def test_bad_logins_do_not_starve_scrapes(rollcall: Secured, measured: Measured) -> None:
    assert rollcall.asked().status == 200
    over = threading.Event()
    refused: list[int] = []

    def guess(thread: int) -> None:
        for number in range(10_000):
            if over.is_set():
                return
            refused.append(rollcall.asked("/metrics", f"prometheus:guess-{thread}-{number}").status)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: 503 in refused and 401 in refused, "logins to be refused")
        slowest = max(_seconds(lambda: rollcall.asked().status == 200) for _ in range(20))
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert set(refused) == {401, 503}
    measured("slowest scrape meanwhile", slowest, "s")


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/nodes/n"])
def test_nothing_is_answered_without_a_login(path: str, rollcall: Secured) -> None:
    answered = rollcall.asked(path, "")
    assert (answered.status, answered.headers["www-authenticate"].partition(" ")[0]) == (401, "Basic")


def test_the_registry_asks_for_its_token_instead(rollcall: Secured) -> None:
    beat = {"method": "POST", "body": '{"heartbeat_stats": {}}', "Content-Type": "application/json"}
    worker = "/v1/agl/workers/w"
    assert rollcall.asked(worker, "", Authorization="Bearer registry-token", **beat).status == 200
    for login in ("", "prometheus:right"):
        answered = rollcall.asked(worker, login, **beat)
        assert (answered.status, answered.headers["www-authenticate"]) == (401, "Bearer")
    assert rollcall.asked("/metrics", "", Authorization="Bearer registry-token").status == 401
    wait_until(lambda: b'worker="w"' in rollcall.asked().body, "the worker to be shown")


def test_a_web_configuration_that_cannot_be_used_is_no_start(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: none.pem, key_file: none.key}\nusers: {}\n")
    (tmp_path / "rollcall.yaml").write_text("web: {config_file: web.yml}\n")
    command = [sys.executable, "-m", "exporter.cli"]
    serve = ["serve", "--web.config.file", str(tmp_path / "web.yml"), "--web.listen-address", "127.0.0.1:0"]
    for arguments in (serve, ["check-config", str(tmp_path / "rollcall.yaml")]):
        with Process([*command, *arguments], tmp_path / f"{arguments[0]}.log") as process:
            assert process.wait() == 2
            first, second, third = process.output().splitlines()
            assert first.startswith("rollcall: tls_server_config.cert_file: expected a readable file, got ")
            assert second.startswith("rollcall: tls_server_config.key_file: expected a readable file, got ")
            assert third.startswith("rollcall: users: unknown key, expected one of ")

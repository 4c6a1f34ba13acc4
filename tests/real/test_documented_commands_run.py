"""Every command of the documentation is run as it is written, in a sandbox, or stands in one table with its reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import bcrypt
import pytest

from tests.first_hour.page import PAGE, blocks
from tests.first_hour.stepping import go
from tests.real.documented import DOCUMENTS, ROOT, commands, yaml_blocks
from tests.real.process import program
from tests.real.sandbox import CHECKOUT, Sandbox
from tests.real.typed import PATIENCE, Terminal
from tests.unit.certificates import Authority


class NotRun(NamedTuple):
    """Commands of documents, both as patterns, that are not run here, the reason, and the test that holds instead."""

    documents: str
    commands: str
    reason: str
    checked: str


TARGETS = "tests/unit/test_documented_commands.py::test_make_has_its_targets"
NOT_RUN = (
    NotRun(
        "docs/FIRST_HOUR.md",
        "(?s:.*)",
        "installs packages and waits for minutes, but for what a test below runs of its first steps; `make first-hour` "
        "runs all of it in a bare Debian, and records that",
        "tests/unit/test_first_hour.py::test_all_that_is_written_was_run",
    ),
    NotRun(
        "docs/INSTALL.md",
        "/opt/rollcall/bin/pip install .*",
        "needs PyPI; `make install`, which `make first-hour` runs, is the same",
        "tests/unit/test_first_hour.py::test_make_installs_as_the_document_says",
    ),
    NotRun(
        "docs/INSTALL.md",
        "apt-get install .*",
        "needs Debian's packages; tests/set_up.sh installs the same one",
        "tests/unit/test_first_hour.py::test_make_installs_as_the_document_says",
    ),
    NotRun(
        "docs/INSTALL.md",
        "systemctl .*",
        "needs a machine that systemd runs",
        "tests/unit/test_systemd.py::test_systemd_takes_a_unit",
    ),
    NotRun(
        "docs/INSTALL.md",
        "docker .*",
        "needs a container engine and images",
        "tests/unit/test_compose.py::test_what_the_image_copies_is_in_the_build_context",
    ),
    NotRun(
        "docker-compose.yml",
        "docker compose .*",
        "needs a container engine and images",
        "tests/unit/test_compose.py::test_the_file_is_valid_compose",
    ),
    NotRun(
        "docs/INSTALL.md",
        "kubectl .*",
        "needs a cluster",
        "tests/unit/test_kubernetes.py::test_kubectl_can_apply_every_object",
    ),
    NotRun(".*", "make (clean )?test( PYTHON=.*)?", "runs this test, among all others", TARGETS),
    NotRun(
        ".*", "make (lint|format|generate)", "is part of `make test`, or does in the tree what that checks", TARGETS
    ),
    NotRun(".*", "make (bench|test-full|fuzz|reliability|soak)", "takes from half an hour to hours", TARGETS),
    NotRun(
        ".*",
        "make (install|first-hour)",
        "needs Debian's packages and PyPI; the second runs the first, in a bare Debian",
        "tests/unit/test_first_hour.py::test_all_that_is_written_was_run",
    ),
    NotRun(".*", "make (lock|audit|sbom)", "needs PyPI", "tests/unit/test_supply_chain.py::test_no_lock_is_stale"),
)

BEGINNING = ("1. Install", "2. This machine", "3. A simulated fleet")
"""The steps of the first hour that are run here."""

FLEET = "rollcall demo --nodes 20"
WATCHING = "rollcall serve --config.file rollcall.yaml --web.listen-address 0.0.0.0:10470"
REGISTRY = "rollcall serve --config.file registry.yaml --web.listen-address 0.0.0.0:10470"
SECURED = "rollcall serve --config.file rollcall.yaml --web.config.file web.yml --web.listen-address 0.0.0.0:10470"
BEFORE = {
    ("README.md", "make run"): (FLEET,),
    ("docs/AGENT.md", "rollcall agent"): (REGISTRY,),
    ("docs/CLI.md", "rollcall serve"): (FLEET,),
    ("docs/CLI.md", "rollcall status --url"): ("export SSL_CERT_FILE=ca.pem", SECURED),
    ("docs/CLI.md", "rollcall explain node"): (WATCHING,),
    ("docs/CLI.md", "rollcall agent"): (REGISTRY,),
    ("docs/SHARDING.md", "rollcall serve"): (FLEET,),
    ("prometheus/examples/README.md", "prometheus --enable-feature=agent"): ("cd prometheus/examples/agent",),
    ("prometheus/examples/README.md", "prometheus --config.file=shard-0.yml"): ("cd ../hashmod",),
    ("prometheus/examples/README.md", "prometheus --config.file=a.yml"): ("cd ../ha-pair",),
}
"""What a document supposes to be there before its first command that begins so."""

MACHINE = f"""
mkdir -p /etc/rollcall /etc/prometheus /etc/grafana/provisioning/dashboards /var/lib/node_exporter /opt/rollcall/bin
cp rollcall.yaml wakeable.yaml /etc/rollcall
ln -sf {CHECKOUT}/.venv/bin/rollcall /opt/rollcall/bin/rollcall
touch .venv/run
echo fail-with-body >~/.curlrc
"""
"""A machine with Prometheus, Grafana, node_exporter and Rollcall, on which curl's status tells of a server's error."""


def listed(document: str, command: str) -> list[NotRun]:
    return [
        each
        for each in NOT_RUN
        if re.fullmatch(each.documents, document) and re.fullmatch(each.commands, command, re.DOTALL)
    ]


RUN = {
    document: found
    for document in DOCUMENTS
    if (found := [command for command in commands(document) if not listed(document, command)])
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A checkout with the files that the documents speak of."""
    for name in ("curl", "make", "ip", "prometheus", "prometheus-alertmanager"):
        program(name)
    folder = tmp_path_factory.mktemp("sandbox")
    made = Sandbox(folder)
    configuration, wakeable, values = yaml_blocks("README.md")
    authority = Authority(folder)
    authority.sign("rollcall.example", "DNS:rollcall.example")
    password = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    files = {
        "rollcall.yaml": configuration,
        "wakeable.yaml": wakeable,
        "mine.yml": values,
        "registry.yaml": "registry: {token_file: registry-token}\n",
        "registry-token": "a-token-of-the-registry\n",
        "train.py": "print('trained')\n",
        "ca.pem": authority.pem.read_text("utf-8"),
        **{f"server.{kind}": (folder / f"rollcall.example.{kind}").read_text("utf-8") for kind in ("pem", "key")},
        "web.yml": "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
        f"basic_auth_users: {{observer: {password}}}\n",
    }
    for name, text in files.items():
        (made.checkout / name).write_text(text, "utf-8")
    return made


def prepared(document: str) -> Iterator[str]:
    """The commands of a document that are run, each after what it supposes."""
    waiting = {begin: steps for (name, begin), steps in BEFORE.items() if name == document}
    for command in RUN[document]:
        for begin in [each for each in waiting if command.startswith(each)]:
            yield from waiting.pop(begin)
        yield command
    assert not waiting, f"{document}: expected commands that begin so, got none"


@pytest.mark.parametrize("document", RUN)
def test_what_a_document_says_runs(document: str, sandbox: Sandbox, tmp_path: Path) -> None:
    with sandbox.shell(tmp_path / "shell.log") as shell:
        terminal = Terminal(shell)
        terminal.run(MACHINE)
        for command in prepared(document):
            said = terminal.run(command)
            assert "level=warn" not in said, f"{command}: {said}"
        terminal.end()


def test_the_first_hour_begins_as_it_says(sandbox: Sandbox, tmp_path: Path) -> None:
    """What is promised is seen; what is installed is there already, and Prometheus does not wait for 15 s."""
    hurried = "sed -i s/15s/1s/ /etc/prometheus/prometheus.yml\n"
    installing = re.compile(r"^(?:apt-get|make install).*\n", re.MULTILINE)
    with sandbox.shell(tmp_path / "shell.log") as shell:
        shell.run(MACHINE + hurried, PATIENCE)
        for block in blocks(PAGE.read_text("utf-8")):
            if block.section in BEGINNING:
                go(shell, block._replace(commands=installing.sub("", block.commands)))
        shell.run("kill $ROLLCALL\nwait $ROLLCALL\n", PATIENCE)


@pytest.mark.parametrize("entry", NOT_RUN, ids=lambda entry: f"{entry.documents} {entry.commands}")
def test_what_is_not_run_is_written_somewhere_and_checked_by_a_test(entry: NotRun) -> None:
    assert [command for document in DOCUMENTS for command in commands(document) if entry in listed(document, command)]
    path, _, function = entry.checked.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_there_are_commands_that_are_run() -> None:
    assert sum(map(len, RUN.values())) > 60

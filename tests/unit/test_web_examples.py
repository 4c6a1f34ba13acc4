"""The examples of docs/WEB_CONFIG.md: what Rollcall reads, Prometheus' own tools take too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from exporter.config import load
from exporter.web.current import Current
from tests.unit.certificates import Authority
from tests.unit.prometheus_tools import VERSIONS, run

DOCUMENT = (Path(__file__).parents[2] / "docs/WEB_CONFIG.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
WEB = {block.partition("\n")[0]: block for block in BLOCKS if block.startswith("# web.yml")}
FIELDS = """cert_file key_file client_auth_type client_ca_file client_allowed_sans min_version max_version cipher_suites
prefer_server_cipher_suites curve_preferences http2 headers basic_auth_users Strict-Transport-Security
X-Content-Type-Options X-Frame-Options X-XSS-Protection Content-Security-Policy rate_limit interval burst"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    authority = Authority(folder)
    authority.sign("server")
    authority.sign("rollcall")
    (folder / "password").write_text("x")
    return folder


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("block", WEB.values(), ids=WEB)
def test_promtool_takes_what_rollcall_takes(block: str, version: str, folder: Path) -> None:
    file = folder / "web.yml"
    file.write_text(block)
    assert Current(file).context is not None
    if "2.42 does not know" in block and version != "newest":
        return
    checked = run("promtool", "check", "web-config", file, version=version)
    assert checked.returncode == 0, checked.stderr


def test_the_examples_have_every_field_that_a_file_can_have() -> None:
    together = "".join(WEB.values())
    assert [field for field in FIELDS.split() if f"{field}:" not in together] == []


def test_prometheus_takes_its_side(folder: Path) -> None:
    (block,) = (block for block in BLOCKS if block.startswith("scrape_configs"))
    (folder / "prometheus.yml").write_text(block)
    assert run("promtool", "check", "config", folder / "prometheus.yml").returncode == 0


def test_an_upstream_with_a_certificate_of_ours(folder: Path) -> None:
    (block,) = (block for block in BLOCKS if block.startswith("stores"))
    assert yaml.safe_load(block)
    (folder / "r.yaml").write_text(block)
    assert load(folder / "r.yaml", {}).stores[0].endpoint.server_name == "trainer.example"

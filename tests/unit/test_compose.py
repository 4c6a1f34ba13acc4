"""docker-compose.yml and the Dockerfile, checked without a container engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
PROJECT = yaml.safe_load(COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = PROJECT["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
HEALTHCHECK = ["python", "-m", "exporter.healthcheck"]
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def _check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_file_is_valid_compose() -> None:
    result = _check(COMPOSE)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_misspelt_key_is_not_valid_compose(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("healthcheck:", "healthchek:"))
    assert _check(wrong).returncode != 0


def test_services_and_profiles() -> None:
    assert SERVICES.keys() == {"exporter", "demo", "prometheus", "alertmanager", "grafana"}
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "demo": ["demo"]
    }


@EACH_SERVICE
def test_every_mount_exists_and_is_read_only_or_a_declared_volume(service: dict[str, Any]) -> None:
    for mount in service.get("volumes", ()):
        source, _, options = mount.partition(":")
        if source.startswith("."):
            assert (ROOT / source).exists(), f"{mount}: nothing at {source}"
            assert options.endswith(":ro"), f"{mount}: not read-only"
        else:
            assert source in PROJECT["volumes"], f"{mount}: volume {source} is not declared"


@EACH_SERVICE
def test_images_are_built_here_or_pinned_to_a_version(service: dict[str, Any]) -> None:
    image, _, tag = service.get("image", "").partition(":")
    assert ("build" in service) != bool(image)
    if image:
        assert tag.removeprefix("v").count(".") == 2, f"{image}: no full version in {tag!r}"
        assert tag.removeprefix("v").replace(".", "").isdigit()


@EACH_SERVICE
def test_services_give_up_privileges(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@EACH_SERVICE
def test_ports_are_published_on_loopback_only(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@EACH_SERVICE
def test_services_have_a_health_check_or_say_why_not(service: dict[str, Any]) -> None:
    healthcheck = service["healthcheck"]
    assert healthcheck.get("disable") or healthcheck["test"][0] == "CMD"


def test_exporter_runs_unprivileged_on_a_read_only_root() -> None:
    exporter = SERVICES["exporter"]
    assert exporter["user"] == "65534:65534"
    assert exporter["read_only"] is True
    assert exporter["healthcheck"]["test"] == ["CMD", *HEALTHCHECK]


def test_exporter_and_demo_are_one_image_with_two_commands() -> None:
    assert SERVICES["exporter"]["build"] == SERVICES["demo"]["build"] == "."
    assert [SERVICES[name]["command"][0] for name in ("exporter", "demo")] == ["serve", "demo"]


def test_the_image_serves_as_compose_does() -> None:
    assert f"CMD {json.dumps(SERVICES['exporter']['command'])}" in DOCKERFILE


def test_demo_is_on_the_loopback_of_the_exporter() -> None:
    demo = SERVICES["demo"]
    assert demo["network_mode"] == "service:exporter"
    options = dict(zip(demo["command"][1::2], demo["command"][2::2], strict=True))
    assert (options["--host"], options["--mesh-port"], options["--store-port"]) == ("127.0.0.1", "3131", "4747")


def test_prometheus_scrapes_the_services_by_name() -> None:
    for path in sorted((ROOT / "prometheus/targets-compose").iterdir()):
        for group in yaml.safe_load(path.read_text()):
            for target in group["targets"]:
                service, _, port = target.partition(":")
                assert any(published.endswith(f":{port}") for published in SERVICES[service]["ports"])


def test_grafana_finds_its_data_source_and_dashboards() -> None:
    [datasource] = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    [provider] = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/rollcall.yml").read_text())["providers"]
    grafana = SERVICES["grafana"]
    assert datasource["uid"] == "rollcall-prometheus"
    assert datasource["url"] == "http://prometheus:9090"
    assert provider["folder"] == "Rollcall"
    assert provider["allowUiUpdates"] is False
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "grafana/dashboards" / Path(home).name).exists()


@pytest.mark.promise("Access", "The image runs as user 65534, whose state directory has mode 0700")
def test_the_image_is_pinned_and_runs_unprivileged() -> None:
    stages = [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("FROM ")]
    assert stages == ["python:3.12-slim-bookworm"] * 2
    assert "\nUSER 65534:65534\n" in DOCKERFILE
    assert "--owner 65534 --group 65534 --mode 0700 /var/lib/rollcall\n" in DOCKERFILE
    assert "\nEXPOSE 10470\n" in DOCKERFILE
    assert 'ENTRYPOINT ["rollcall"]' in DOCKERFILE
    assert f"\n    CMD {json.dumps(HEALTHCHECK)}\n" in DOCKERFILE


def test_what_the_image_copies_is_in_the_build_context() -> None:
    context = (ROOT / ".dockerignore").read_text().splitlines()
    lines = [line for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line]
    copies = [line.split()[1:-1] for line in lines]
    for source in [source for sources in copies for source in sources]:
        assert (ROOT / source).exists()
        assert f"!{source}" in context

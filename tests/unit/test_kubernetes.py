"""The manifests of packaging/kubernetes: against Kubernetes' own schemas, hardened, and with nothing that is not there.

kustomize itself is not asked: what it would find is that a listed file is missing, or a name that nothing has.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exporter.cli import main
from exporter.config import parse
from exporter.rules import manifests
from tests.unit.locks import PROJECT, ROOT
from tests.unit.shipped_rules import RULES, loaded

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="run `make test`: its lock has it")

FOLDER = ROOT / "packaging/kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
FILES = {name: (FOLDER / name).read_text("utf-8") for name in KUSTOMIZATION["resources"]}
OBJECTS: dict[str, dict[str, Any]] = {
    f"{each['kind']}/{each['metadata']['name']}": each
    for text in FILES.values()
    for each in yaml.load_all(text, yaml.CSafeLoader)
}
CUSTOM = ("ServiceMonitor", "PrometheusRule")
PODS = {name: each["spec"]["template"] for name, each in OBJECTS.items() if "template" in each.get("spec", {})}
EACH_POD = pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
VERSIONS = ("1.29", "1.35")
ANNOTATION = 256 * 1024
"""Bytes of an object's annotations at most (apimachinery, ValidateAnnotationsSize); kubectl keeps a copy there."""

LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
NAMES = {"type": "array", "items": {"type": "string", "pattern": "^[a-z_]+$"}}


def strict(**properties: Any) -> dict[str, Any]:
    """A schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "required": [*properties],
    }


RELABELING = strict(targetLabel={"const": "instance"}, sourceLabels=NAMES) | {"required": ["targetLabel"]}
RELABELING["properties"] = RELABELING["properties"] | {"separator": {"type": "string"}}
RULE = strict(
    alert={"type": "string"},
    record={"type": "string"},
    expr={"type": "string"},
    **{"for": {"type": "string"}, "keep_firing_for": {"type": "string"}, "labels": LABELS, "annotations": LABELS},
) | {"required": ["expr"], "oneOf": [{"required": ["alert"]}, {"required": ["record"]}]}
GROUP = strict(name={"type": "string"}, rules={"type": "array", "items": RULE}, interval={"type": "string"})
SPECS = {
    "ServiceMonitor": strict(
        jobLabel={"type": "string"},
        selector=strict(matchLabels=LABELS),
        endpoints={
            "type": "array",
            "items": strict(
                port={"type": "string"},
                interval={"type": "string", "pattern": "^[0-9]+s$"},
                relabelings={"type": "array", "items": RELABELING},
            ),
        },
    ),
    "PrometheusRule": strict(groups={"type": "array", "items": GROUP | {"required": ["name", "rules"]}}),
}
"""What is used of the operator's types (prometheus-operator, Documentation/api-reference)."""


def containers(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from pod["spec"]["containers"]


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_every_file_is_listed_and_there() -> None:
    listed = set(FILES) | {"kustomization.yaml"}
    listed |= {each.rpartition("=")[2] for made in KUSTOMIZATION["configMapGenerator"] for each in made["files"]}
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()} == listed
    known = {"apiVersion", "kind", "namespace", "labels", "resources", "configMapGenerator", "images"}
    assert set(KUSTOMIZATION) == known
    assert KUSTOMIZATION["images"][0]["newTag"] == PROJECT["project"]["version"]


def test_the_generated_are_not_stale() -> None:
    assert manifests.manifests().items() <= FILES.items(), "run `make generate`"
    assert {name for name, text in FILES.items() if text.startswith(manifests.GENERATED)} == set(manifests.manifests())


def test_a_stale_file_is_told_and_written_anew_and_a_foreign_one_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manifests.main([], tmp_path) == manifests.main(["--check"], tmp_path) == 0
    (tmp_path / "prometheusrule.yaml").write_text("")
    (tmp_path / "dashboards/old.yaml").write_text("")
    assert manifests.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == (
        f"{tmp_path / 'dashboards/old.yaml'} is stale: run `make generate`\n"
        f"{tmp_path / 'prometheusrule.yaml'} is stale: run `make generate`\n"
    )
    assert manifests.main([], tmp_path) == manifests.main(["--check"], tmp_path) == 0
    assert not (tmp_path / "dashboards/old.yaml").exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(version: str) -> None:
    for name, each in OBJECTS.items():
        if each["kind"] not in CUSTOM:
            assert kubernetes_validate.validate(each, version, strict=True), name


def test_kubernetes_does_not_take_a_misspelt_object() -> None:
    wrong = copy.deepcopy(OBJECTS["Deployment/rollcall"])
    wrong["spec"]["template"]["spec"]["securityContxt"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="securityContxt"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", [name for name, each in OBJECTS.items() if each["kind"] in CUSTOM])
def test_the_operator_s_objects_have_what_it_knows(name: str) -> None:
    each = OBJECTS[name]
    assert each["apiVersion"] == "monitoring.coreos.com/v1"
    assert each.keys() == {"apiVersion", "kind", "metadata", "spec"}
    jsonschema.validate(each["spec"], SPECS[each["kind"]])


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ServiceMonitor/rollcall", ()),
        ("ServiceMonitor/rollcall", ("selector",)),
        ("ServiceMonitor/rollcall", ("endpoints", 0, "relabelings", 0)),
        ("PrometheusRule/rollcall", ("groups", 0)),
        ("PrometheusRule/rollcall", ("groups", 0, "rules", 0)),
    ],
)
def test_what_the_operator_does_not_know_is_found(name: str, path: tuple[str | int, ...]) -> None:
    wrong = copy.deepcopy(OBJECTS[name]["spec"])
    place = wrong
    for step in path:
        place = place[step]
    place["misspelt"] = "1"
    with pytest.raises(jsonschema.ValidationError, match="misspelt"):
        jsonschema.validate(wrong, SPECS[OBJECTS[name]["kind"]])


def test_the_rules_and_dashboards_are_those_that_are_shipped() -> None:
    groups = [group for path in RULES for group in loaded(path.read_text("utf-8"))["groups"]]
    assert OBJECTS["PrometheusRule/rollcall"]["spec"]["groups"] == groups
    boards = {path.name: json.loads(path.read_text("utf-8")) for path in (ROOT / "grafana/dashboards").iterdir()}
    maps = [each for each in OBJECTS.values() if each["kind"] == "ConfigMap"]
    assert {name: json.loads(text) for each in maps for name, text in each["data"].items()} == boards
    assert all(each["metadata"]["labels"]["grafana_dashboard"] == "1" for each in maps)


def test_kubectl_can_apply_every_object() -> None:
    assert max(len(json.dumps(each).encode()) for each in OBJECTS.values()) < ANNOTATION


@pytest.mark.promise("Access", "Pods run as nobody, on a read-only root, without capabilities and privileges to gain")
@EACH_POD
def test_pods_are_hardened(pod: dict[str, Any]) -> None:
    security = pod["spec"]["securityContext"]
    assert security["runAsNonRoot"] is True
    assert (security["runAsUser"], security["runAsGroup"]) == (65534, 65534)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["automountServiceAccountToken"] is False
    for each in containers(pod):
        own = each["securityContext"]
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert each["resources"].keys() == {"requests", "limits"}
        probes = [each[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness")]
        assert probes == [{"path": f"/-/{word}", "port": "metrics"} for word in ("healthy", "ready")]
        written = {mount["mountPath"] for mount in each["volumeMounts"] if not mount.get("readOnly")}
        assert written == {"/var/lib/rollcall"}


@EACH_POD
def test_pods_name_what_there_is(pod: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    made = {each["name"] for each in KUSTOMIZATION["configMapGenerator"]}
    for volume in pod["spec"]["volumes"]:
        assert volume.get("configMap", {}).get("name") in (None, *made)
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        assert claim is None or f"PersistentVolumeClaim/{claim}" in OBJECTS
    [container] = containers(pod)
    assert container["image"] == KUSTOMIZATION["images"][0]["name"]
    command, *arguments = container["args"]
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = set(re.findall(r"--[a-z.-]+", capsys.readouterr().out))
    assert {argument.partition("=")[0] for argument in arguments} <= shown
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_selectors_find_what_they_are_for() -> None:
    for name, pod in PODS.items():
        labels = pod["metadata"]["labels"]
        assert matches(OBJECTS[name]["spec"]["selector"]["matchLabels"], labels)
        ports = {port["name"] for each in containers(pod) for port in each["ports"]}
        services = [each for each in OBJECTS.values() if each["kind"] == "Service"]
        [service] = [each for each in services if matches(each["spec"]["selector"], labels)]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        monitors = [each["spec"] for each in OBJECTS.values() if each["kind"] == "ServiceMonitor"]
        wanted = service["metadata"]["labels"]
        [monitor] = [each for each in monitors if matches(each["selector"]["matchLabels"], wanted)]
        assert [each["port"] for each in monitor["endpoints"]] == [port["name"] for port in service["spec"]["ports"]]
        assert wanted[monitor["jobLabel"]] == "rollcall"


@pytest.mark.parametrize("name", ["rollcall.yaml", "hosts.yaml"])
def test_configurations_are_sound(name: str) -> None:
    text = (FOLDER / name).read_text("utf-8")
    config = parse(text, name, {}, lambda path: "")
    assert config.host.enabled is (name == "hosts.yaml")
    assert config.meshes == ()
    if name == "rollcall.yaml":
        told = re.sub(r"^# (?=[ a-z]+:|  )", "", text, flags=re.MULTILINE)
        assert [len(part) for part in (parse(told, name, {}, lambda path: "").meshes,)] == [1]

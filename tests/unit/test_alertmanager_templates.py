"""What is mailed and sent to Slack, as Alertmanager's own tool renders it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.prometheus_tools import VERSIONS, run
from tests.unit.shipped_rules import PROMETHEUS, loaded

HOSTILE = "<!channel> & <https://evil.example|w>"


def alert(worker: str, status: str = "firing", severity: str = "warning") -> dict[str, Any]:
    """An alert as templates get it."""
    annotations = {
        "summary": f"Worker {worker} of fleet eu is unknown.",
        "description": "Reason: silent.",
        "runbook_url": "https://docs.example/RUNBOOK.md#rollcallworkerunknown",
        "dashboard": "http://localhost:3000/d/rollcall-runner?var-fleet=eu",
    }
    said = {"alertname": "RollcallWorkerUnknown", "fleet": "eu", "worker": worker, "severity": severity}
    times = {"startsAt": "2026-11-22T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}
    return {"status": status, "labels": said, "annotations": annotations, **times}


def rendered(template: str, alerts: list[dict[str, Any]], folder: Path, version: str, kind: str = "text") -> str:
    """What a template makes of a notification."""
    common = {"alertname": "RollcallWorkerUnknown", "fleet": "eu", "severity": alerts[0]["labels"]["severity"]}
    data = {
        "receiver": "page",
        "status": "firing" if any(each["status"] == "firing" for each in alerts) else "resolved",
        "alerts": alerts,
        "groupLabels": {"alertname": "RollcallWorkerUnknown", "fleet": "eu"},
        "commonLabels": common,
        "commonAnnotations": {"runbook_url": alerts[0]["annotations"]["runbook_url"]},
        "externalURL": "http://alertmanager.example:9093",
    }
    (folder / "data.json").write_text(json.dumps(data))
    said = f'{{{{ template "rollcall.{template}" . }}}}'
    options = [f"--template.glob={PROMETHEUS}/templates/*.tmpl", f"--template.type={kind}", f"--template.text={said}"]
    result = run("amtool", "template", "render", *options, f"--template.data={folder / 'data.json'}", version=version)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("alerts", "title", "color"),
    [
        ([alert("a"), alert("b"), alert("c", "resolved")], "[FIRING 2] RollcallWorkerUnknown in eu", "danger"),
        ([alert("a", severity="ticket")], "[FIRING 1] RollcallWorkerUnknown in eu", "warning"),
        ([alert("a", "resolved")], "[RESOLVED] RollcallWorkerUnknown in eu", "good"),
    ],
    ids=["firing", "ticket", "resolved"],
)
def test_titles_and_colors(alerts: list[dict[str, Any]], title: str, color: str, version: str, tmp_path: Path) -> None:
    assert rendered("title", alerts, tmp_path, version).strip() == title
    assert rendered("slack.color", alerts, tmp_path, version).strip() == color


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("template", "kind"), [("text", "text"), ("html", "html"), ("slack.text", "text")])
def test_a_message_says_what_is_wrong_and_where_to_look(template: str, kind: str, version: str, tmp_path: Path) -> None:
    said = rendered(template, [alert("a"), alert("b", "resolved")], tmp_path, version, kind)
    for part in ("Worker a of fleet eu", "Reason: silent.", "d/rollcall-runner", "RUNBOOK.md#rollcallworkerunknown"):
        assert part in said
    assert "Over: Worker b of fleet eu is unknown." in said


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("template", "kind"), [("text", "text"), ("html", "html"), ("slack.text", "text")])
def test_a_hundred_workers_are_twenty_lines_and_their_number(
    template: str, kind: str, version: str, tmp_path: Path
) -> None:
    alerts = [alert(f"w{number}", status) for status in ("firing", "resolved") for number in range(100)]
    said = rendered(template, alerts, tmp_path, version, kind)
    assert said.count("of fleet eu is unknown.") == 40
    assert "The first 20 of 100." in said
    assert "The first 20 of 100 that are over." in said


@pytest.mark.parametrize("version", VERSIONS)
def test_a_workers_name_is_a_text(version: str, tmp_path: Path) -> None:
    slack = rendered("slack.text", [alert(HOSTILE), alert(HOSTILE, "resolved")], tmp_path, version)
    assert slack.count("&lt;!channel&gt; &amp; &lt;https://evil.example|w&gt;") == 2
    assert "<!channel>" not in slack
    mail = rendered("html", [alert(HOSTILE), alert(HOSTILE, "resolved")], tmp_path, version, "html")
    assert mail.count("&lt;!channel&gt; &amp; &lt;https://evil.example|w&gt;") == 2
    assert "<!channel>" not in mail


def test_compose_mounts_them_beside_the_configuration() -> None:
    mounts = loaded((PROMETHEUS.parent / "docker-compose.yml").read_text())["services"]["alertmanager"]["volumes"]
    assert "./prometheus/alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro" in mounts
    assert "./prometheus/templates:/etc/alertmanager/templates:ro" in mounts


def test_every_template_that_is_named_is_there() -> None:
    configuration = (PROMETHEUS / "alertmanager.yml").read_text()
    texts = "".join(path.read_text() for path in (PROMETHEUS / "templates").glob("*.tmpl"))
    named = {part.split('"')[1] for part in configuration.split("{{ template ")[1:]}
    assert loaded(configuration)["templates"] == ["templates/*.tmpl"]
    assert named
    assert [name for name in named if f'{{{{ define "{name}"' not in texts] == []

"""What fires, and what is about to."""

from __future__ import annotations

SELECTED = 'alertname!="Watchdog",fleet=~"$fleet|"'
"""Alerts of the chosen fleets, and those that belong to none."""

ROWS = 200
"""So many alerts have a row."""

THINGS = ("node", "model", "logical_id", "provider", "source", "instance", "job")
"""What an alert can be about, beside a fleet and a worker: the first label that it has is shown."""

PARTS = {"gpu": "GPU $1", "uuid": "$1", "device": "$1", "collector": "$1", "field": "$1"}
"""What of it: the first of these labels is shown behind it, in this form."""

_NAMES = ", ".join(("alertname", "severity", "fleet", "worker", *THINGS, *PARTS))
BY = f"alertstate, {_NAMES}"
FIRING = f'ALERTS{{alertstate="firing",{SELECTED}}}'
_LISTED = f'topk({ROWS}, 1 + max by ({BY}) ({FIRING}) or max by ({BY}) (ALERTS{{alertstate="pending",{SELECTED}}}))'


def _about(expr: str, *labels: str) -> str:
    """`expr` with the label `about`, the thing and the part of it, instead of theirs; a dash where there is none."""
    expr = f'label_replace({expr}, "about", "–", "", "")'
    for name in reversed(THINGS):
        expr = f'label_replace({expr}, "about", "$1", "{name}", "(.+)")'
    for name, form in reversed(PARTS.items()):
        expr = f'label_replace({expr}, "part", "{form}", "{name}", "(.+)")'
    expr = f'label_join({expr}, "about", ", ", "about", "part")'
    expr = f'label_replace({expr}, "about", "$1", "about", "(.+), ")'
    return f"max by ({', '.join(('alertname', 'severity', 'fleet', 'worker', 'about', *labels))}) ({expr})"


ALERTS = _about(_LISTED, "alertstate")
"""The value is 2 for one that fires, 1 for one that is pending."""

SINCE = _about(f"1000 * max by ({_NAMES}) (ALERTS_FOR_STATE{{{SELECTED}}}) and on ({_NAMES}) {_LISTED}")

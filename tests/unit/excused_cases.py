"""Cases that the promtool tests of an alert need not have, each with the reason why it cannot happen."""

from __future__ import annotations

EXCUSES: dict[tuple[str, str], str] = {
    ("RollcallStoreRestarted", "waits"): "a restart is told at once",
    ("Watchdog", "waits"): "it fires always, from the first evaluation on",
    ("Watchdog", "resolves"): "it fires always",
    ("Watchdog", "look-alike"): "it fires always",
}
"""By alert and case; see tests/unit/test_rules_coverage.py for what the cases are."""

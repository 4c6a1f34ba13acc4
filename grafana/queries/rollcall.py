"""What the dashboard Rollcall itself asks: of sources once per source, of exporters once per `instance`."""

from __future__ import annotations

from grafana.queries.shared import or_zero, source_state, sources_down
from grafana.variables import FLEETS

HERE = 'instance=~"$instance"'
"""The matcher of the exporters that are chosen."""

SOURCES = f"{FLEETS},{HERE}"
MOST = 200
"""So many sources are in the tables, those that are down first."""

_KEY = "fleet, source, kind"
_KNOWN = f"present_over_time(rollcall_build_info{{{HERE}}}[$__range])"
"""1 per exporter that was there at some time of the range, so that one that is down is not forgotten."""


def _each(expr: str) -> str:
    """One series per exporter."""
    return f"max by (instance) ({expr})"


# Is Rollcall well?
EXPORTERS = or_zero(f"count({_each(f'up{{{HERE}}} == 1 and on (job, instance) {_KNOWN}')})")
EXPORTERS_DOWN = or_zero(f"count({_each(f'up{{{HERE}}} == 0 and on (job, instance) {_KNOWN}')})")
SOURCE = f"max by ({_KEY}) (rollcall_source_up{{{SOURCES}}})"
SOURCES_UP = or_zero(f"count({SOURCE} == 1)")
SOURCES_DOWN = or_zero(f"count({sources_down(SOURCE)})")
COLLECTORS_FAILING = or_zero(f"count(max by (instance, collector) (rollcall_collector_success{{{HERE}}}) == 0)")
_DROPPED = f"max by (instance, family) (rollcall_series_dropped{{{HERE}}})"
DROPPED = or_zero(f"sum({_DROPPED})")
NOT_KEPT = or_zero(f"count({_each(f'rollcall_ledger_available{{{HERE}}}')} == 0)")
_DRIFT = f"max by ({_KEY}, field) (increase(rollcall_source_drift_total{{{SOURCES}}}[$__range]))"
DRIFT = or_zero(f"round(sum({_DRIFT}))")
SERIES = or_zero(f"sum({_each(f'scrape_samples_scraped{{{HERE}}} and on (job, instance) {_KNOWN}')})")
SLOWEST_SCRAPE = f"max(scrape_duration_seconds{{{HERE}}} and on (job, instance) {_KNOWN})"
LARGEST = or_zero(f"max(rollcall_exposition_bytes{{{HERE}}})")

# Exporters
ROW = _each(f"up{{{HERE}}} and on (job, instance) {_KNOWN}")
ROW_BUILD = f"topk by (instance) (1, max by (instance, version, python) (rollcall_build_info{{{HERE}}}))"
ROW_START = f"1000 * {_each(f'process_start_time_seconds{{{HERE}}} and on (job, instance) rollcall_build_info')}"
ROW_SCRAPE = _each(f"scrape_duration_seconds{{{HERE}}} and on (job, instance) {_KNOWN}")
ROW_SAMPLES = _each(f"scrape_samples_scraped{{{HERE}}} and on (job, instance) {_KNOWN}")
ROW_BYTES = _each(f"rollcall_exposition_bytes{{{HERE}}}")
ROW_DROPPED = f"sum by (instance) ({_DROPPED})"
_OURS = "and on (job, instance) rollcall_build_info"
CPU = _each(f"rate(process_cpu_seconds_total{{{HERE}}}[$__rate_interval]) {_OURS}")
MEMORY = _each(f"process_resident_memory_bytes{{{HERE}}} {_OURS}")
ROW_FILES = _each(f"process_open_fds{{{HERE}}} / process_max_fds {_OURS}")
ROW_LEDGER = _each(f"rollcall_ledger_available{{{HERE}}}")

# Sources
SHOWN = f"bottomk({MOST}, {source_state(SOURCE)})"


def _of_source(expr: str) -> str:
    """Those of `expr` that have a row."""
    return f"{expr} and on ({_KEY}) {SHOWN}"


_LAST = f"max by ({_KEY}) (rollcall_source_last_success_timestamp_seconds{{{SOURCES}}})"
_AGE = f"time() - {_LAST}"
_TOOK = f"max by ({_KEY}) (rollcall_source_read_duration_seconds{{{SOURCES}}})"
_READS = f"sum by ({_KEY}) (max by ({_KEY}, result) (increase(rollcall_source_reads_total{{{SOURCES}"
SOURCE_AGE = _of_source(f"({_AGE})")
SOURCE_TOOK = _of_source(_TOOK)
SOURCE_READ_SHARE = _of_source(f'({_READS},result="ok"}}[$__range]))) / ({_READS}}}[$__range]))) > 0))')
SOURCE_FAILURES = _of_source(
    f'(max by ({_KEY}, result) (increase(rollcall_source_reads_total{{{SOURCES},result!="ok"}}[$__range])) > 0)'
)
SOURCE_DRIFT = _of_source(f"round(sum by ({_KEY}) ({_DRIFT}))")
WENT_DOWN = (
    f"2 * ({source_state(SOURCE)}) + 1 and on ({_KEY})"
    f" (min_over_time(fleet_source_kind:rollcall_source_up:max{{{FLEETS}}}[$__range] @ end()) == 0)"
)
"""3 while up, 2 while down on a host that sleeps, else 1, of the sources that were down at some time of the range."""

_AGES = f"(time() - rollcall_source_last_success_timestamp_seconds{{{SOURCES}}})[$__range:$__interval]"
_OLD = f"max_over_time({_AGES} @ end())"
_SLOW = f"avg_over_time(rollcall_source_read_duration_seconds{{{SOURCES}}}[$__range] @ end())"
OLDEST = f"{_AGE} and on ({_KEY}) topk(10, max by ({_KEY}) ({_OLD}))"
SLOWEST = f"{_TOOK} and on ({_KEY}) topk(10, max by ({_KEY}) ({_SLOW}))"


def reads(result: str) -> str:
    """Reads of all sources a second, by result."""
    counter = f'rollcall_source_reads_total{{{SOURCES},result="{result}"}}'
    return f"sum(max by ({_KEY}) (rate({counter}[$__rate_interval])))"


DRIFTING = (
    f"topk(100, round(max by ({_KEY}, field) (increase(rollcall_source_drift_total{{{SOURCES}}}[$__range]))) > 0)"
)

# Series, and what they cost
_FAMILIES = f"topk(20, sum by (family) (max by (instance, family) (rollcall_series{{{HERE}}})) > 0)"
FAMILIES = f'sort_desc(label_replace({_FAMILIES}, "family", "$1", "family", "rollcall_(.*)"))'
LEFT_OUT = f"topk(100, sum by (family) ({_DROPPED}) > 0)"
SAMPLES = ROW_SAMPLES
SCRAPES = ROW_SCRAPE
BYTES = ROW_BYTES
COLLECTOR = f"max by (instance, collector) (rollcall_collector_success{{{HERE}}})"
COLLECTOR_TOOK = f"max by (instance, collector) (rollcall_collector_duration_seconds{{{HERE}}})"
COLLECTOR_SLOWEST = f"max by (collector) (rollcall_collector_duration_seconds{{{HERE}}})"

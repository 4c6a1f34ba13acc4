"""Which format a request gets, and what a family's header says in each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.formats import Format, accepts_gzip, header, negotiate

OPENMETRICS = "application/openmetrics-text"


@pytest.mark.parametrize(
    "accept",
    [
        f"{OPENMETRICS};version=1.0.0,{OPENMETRICS};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        f"{OPENMETRICS}; version=1.0.0; charset=utf-8",
        f'{OPENMETRICS};version="1.0.0";escaping=allow-utf-8',
        OPENMETRICS,
        OPENMETRICS.upper(),
        f"text/plain;q=0.5, {OPENMETRICS};version=1.0.0;q=0.5",
    ],
)
def test_openmetrics_where_it_is_asked_for(accept: str) -> None:
    assert negotiate(accept) is Format.OPENMETRICS


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "text/plain",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        f"{OPENMETRICS};version=1.x",
        f"{OPENMETRICS};version=2.0.0",
        f"{OPENMETRICS};version=",
        f"{OPENMETRICS};version=1.0.0;q=0",
        f"{OPENMETRICS};version=1.0.0;q=nan",
        f"{OPENMETRICS};version=1.0.0;q=x",
        f"{OPENMETRICS};version=1.0.0;q=0.1,text/plain;q=0.9",
        "application/json",
        ";;;,,,===",
    ],
)
def test_plain_text_otherwise(accept: str | None) -> None:
    assert negotiate(accept) is Format.TEXT


@given(st.text())
def test_no_header_is_an_error(accept: str) -> None:
    assert negotiate(accept) in Format
    assert accepts_gzip(accept) in (True, False)


@pytest.mark.parametrize(
    ("accept_encoding", "accepted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("*, gzip;q=0", False),
        ("identity", False),
        ("", False),
        (None, False),
    ],
)
def test_gzip(accept_encoding: str | None, accepted: bool) -> None:
    assert accepts_gzip(accept_encoding) is accepted


def test_headers() -> None:
    meaning = 'A "\\" and\na line.'
    assert header("x_bytes_total", "counter", "bytes", meaning, Format.TEXT).decode() == (
        '# HELP x_bytes_total A "\\\\" and\\na line.\n# TYPE x_bytes_total counter\n'
    )
    assert header("x_bytes_total", "counter", "bytes", meaning, Format.OPENMETRICS).decode() == (
        '# HELP x_bytes A \\"\\\\\\" and\\na line.\n# TYPE x_bytes counter\n# UNIT x_bytes bytes\n'
    )

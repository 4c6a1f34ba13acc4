"""Tables in, snapshot out: order, limits, compression, and what is read live behind it."""

from __future__ import annotations

import gzip
import zlib

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter.exposition import Exposition, Format, LiveText, gzip_member, render_client
from exporter.exposition.segments import Chain
from exporter.families import Family, OneOf, Value
from exporter.records import Exposed, Record
from exporter.records.table import Tables


class Box(Record, frozen=True, gc=False):
    """A record for these tests."""

    KEY = ("fleet", "box")
    fleet: str
    box: str
    size: float | None = None
    state: str = "shut"


SIZE = Family("t_size_bytes", Box, Value("size"), "Size.")
STATE = Family("t_state", Box, OneOf("state", ("open", "shut")), "State.")
OPENED = Family("t_opened_total", Box, Value("size"), "Opened.")


def boxes(fleet: str, count: int) -> Tables:
    return {Box: tuple(Box(fleet, f"b{number}", float(number)) for number in range(count))}


def text(exposition: Exposition, **slices: Tables | None) -> str:
    return b"".join(exposition.publish(slices).chunks(Format.TEXT)).decode()


def test_a_family_is_contiguous_over_all_slices_and_has_no_header_without_samples() -> None:
    exposition = Exposition([OPENED, SIZE, STATE], 1000)
    assert text(exposition, b=boxes("y", 1), a={Box: (Box("x", "b0"),)}) == (
        "# HELP t_opened_total Opened.\n# TYPE t_opened_total counter\n"
        't_opened_total{fleet="y",box="b0"} 0.0\n'
        "# HELP t_size_bytes Size.\n# TYPE t_size_bytes gauge\n"
        't_size_bytes{fleet="y",box="b0"} 0.0\n'
        "# HELP t_state State.\n# TYPE t_state gauge\n"
        't_state{fleet="x",box="b0",state="open"} 0\nt_state{fleet="x",box="b0",state="shut"} 1\n'
        't_state{fleet="y",box="b0",state="open"} 0\nt_state{fleet="y",box="b0",state="shut"} 1\n'
    )
    assert "t_opened" not in text(exposition, b=None)


def test_both_formats_hold_the_same_samples() -> None:
    snapshot = Exposition([SIZE, STATE, OPENED], 10_000).publish({"a": boxes("x", 700)})
    plain, openmetrics = (b"".join(snapshot.chunks(form)).decode() for form in Format)
    samples = [line for line in plain.splitlines() if not line.startswith("#")]
    assert samples == [line for line in openmetrics.splitlines() if not line.startswith("#")]
    assert len(samples) == 4 * 700
    assert snapshot.size == len(plain)
    assert len(list(parse_openmetrics(openmetrics + "# EOF\n"))) == 3


def test_a_slice_that_did_not_change_keeps_its_text() -> None:
    exposition = Exposition([SIZE], 10_000)
    first = exposition.publish({"a": boxes("x", 10), "b": boxes("y", 10)}).chain(Format.TEXT).pieces
    then = exposition.publish({"b": boxes("y", 11)}).chain(Format.TEXT).pieces
    assert (len(first), len(then)) == (3, 3)
    assert then[1] is first[1]
    assert then[2] != first[2]


def test_the_limit_admits_the_first_records_and_counts_the_rest() -> None:
    exposition = Exposition([SIZE, STATE], 3 * 7 + 2)
    snapshot = exposition.publish({"a": boxes("x", 5), "b": boxes("y", 5)})
    shown = b"".join(snapshot.chunks(Format.TEXT)).decode()
    assert [shown.count(f't_size_bytes{{fleet="{fleet}"') for fleet in "xy"] == [5, 2]
    assert [(each.family, each.series, each.dropped) for each in snapshot.series] == [
        ("t_size_bytes", 7, 3),
        ("t_state", 14, 6),
    ]
    grown = exposition.publish({"a": boxes("x", 1)})
    assert [(each.series, each.dropped) for each in grown.series] == [(6, 0), (12, 0)]


def test_a_slice_that_cannot_be_rendered_loses_nothing_of_the_others() -> None:
    exposition = Exposition([SIZE, Family("t_info", Box, Value(None, ("state",)), "Info.")], 1000)
    broken: Tables = {Box: (Box("z", "b", state=5),)}  # type: ignore[arg-type]
    fine = boxes("x", 3)
    with pytest.raises(TypeError):
        exposition.publish({"a": fine, "b": broken})
    exposition.forget("b")
    assert text(exposition, a=fine).count('fleet="x"') == 6


def test_what_another_limit_left_out_is_counted_too() -> None:
    exposition = Exposition([SIZE, STATE], 1000)
    snapshot = exposition.publish({"a": boxes("x", 1)}, {"a": {Box: 4}})
    assert [each.dropped for each in snapshot.series] == [4, 8]
    assert [each.dropped for each in exposition.publish({"a": boxes("x", 1)}).series] == [0, 0]


@pytest.mark.parametrize("form", list(Format))
def test_a_scrape_is_one_gzip_member(form: Format) -> None:
    snapshot = Exposition([SIZE, STATE], 100_000).publish({"a": boxes("x", 5000)})
    live = b"live 1\n" + form.end
    body = b"".join(gzip_member(snapshot.chain(form), live))
    whole = b"".join(snapshot.chunks(form)) + live
    assert gzip.decompress(body) == whole
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert unpacker.decompress(body) == whole
    assert (unpacker.eof, unpacker.unused_data) == (True, b"")
    assert snapshot.chain(form) is snapshot.chain(form)


def test_an_empty_snapshot_is_a_gzip_member_too() -> None:
    assert gzip.decompress(b"".join(gzip_member(Chain((), 0, 0), b""))) == b""
    assert gzip.decompress(b"".join(gzip_member(Exposition([SIZE], 1).publish({}).chain(Format.TEXT), b"x"))) == b"x"


def test_tables_that_are_read_live() -> None:
    text = LiveText([Family("t_box_bytes", Exposed, Value("size_bytes"), "Box."), SIZE, STATE])
    exposed = (Exposed(5),)
    assert text.text({Exposed: exposed, Box: (Box("x", "a"),)}, Format.TEXT) == (
        b"# HELP t_box_bytes Box.\n# TYPE t_box_bytes gauge\nt_box_bytes 5\n"
        b'# HELP t_state State.\n# TYPE t_state gauge\nt_state{fleet="x",box="a",state="open"} 0\n'
        b't_state{fleet="x",box="a",state="shut"} 1\n'
    )
    said = text.text({Exposed: exposed, Box: (Box("x", "b", 1.0), Box("x", "a", 2.0), Box("x", "b", 3.0))}, Format.TEXT)
    sizes = [line for line in said.decode().splitlines() if line.startswith("t_size_bytes")]
    assert sizes == ['t_size_bytes{fleet="x",box="a"} 2.0', 't_size_bytes{fleet="x",box="b"} 1.0']
    assert text.text({Exposed: exposed}, Format.OPENMETRICS) == (
        b"# HELP t_box_bytes Box.\n# TYPE t_box_bytes gauge\n# UNIT t_box_bytes bytes\nt_box_bytes 5\n"
    )
    assert text.text({}, Format.TEXT) == b""


def test_the_client_library_s_families_go_through_the_same_encoder() -> None:
    registry = CollectorRegistry()
    Counter("c", 'Counts "c".', ["l"], registry=registry).labels('a"\ud800').inc(2)
    Gauge("g", "Gauges.", registry=registry).set(float("nan"))
    Histogram("h", "Histograms.", buckets=(1.0,), registry=registry).observe(0.5)
    text = render_client(registry.collect(), Format.OPENMETRICS).decode()
    assert text.startswith('# HELP c Counts \\"c\\".\n# TYPE c counter\nc_total{l="a\\"\ufffd~')
    assert "_created" not in text
    assert "Gauges" not in text
    assert '# TYPE h histogram\nh_bucket{le="1.0"} 1.0\nh_bucket{le="+Inf"} 1.0\nh_count 1.0\nh_sum 0.5\n' in text
    list(parse_openmetrics(text + "# EOF\n"))

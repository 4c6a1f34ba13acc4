"""Any Accept and any Accept-Encoding header: 200, in a format and a coding that can be read, and nothing is missing."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import strategies as st

from exporter.collection import Collection
from exporter.exposition import Format
from exporter.families import LIVE
from exporter.scrape import Scrape
from exporter.server import application
from tests.fuzz.beside import lines_of, published
from tests.fuzz.conftest import Fuzz
from tests.unit.asgi import ask

NAMES = (
    *("application/openmetrics-text", "text/plain", "text/html", "text/*", "*/*", "*", "gzip", "GZIP", "x-gzip"),
    *("application/vnd.google.protobuf", "identity", "deflate", "br", "zstd", "", " ", "application/json", "gzip\t"),
)
PARAMETERS = (
    *("q=0", "q=0.5", "q=1", "q=-1", "q=1e999", "q=nan", "q=0x1", "q=", "q", "Q=0.1", "=", "", '"', "charset=utf-8"),
    *("version=1.0.0", "version=0.0.1", "version=0.0.4", "version=1.x", 'version="1.0.0"', "escaping=allow-utf-8"),
)
PIECES = (*NAMES, *PARAMETERS, *";;;,,,=\\'\x00\x7f\xff", "x" * 9000)
ITEM = st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(PARAMETERS), max_size=2))
FIELD = st.one_of(
    st.lists(ITEM.map(lambda item: ";".join((item[0], *item[1]))), max_size=4).map(",".join),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.text(st.characters(max_codepoint=255), max_size=30),
)


@pytest.mark.promise("Fuzzing", "Any Accept or Accept-Encoding header is answered with all samples, in what it names")
def test_any_header_is_answered(fuzz: Fuzz) -> None:
    shown = published([])
    scrape = Scrape(lambda: shown, Collection([], 1.0, lambda name, message: None), LIVE)
    app = application(scrape, lambda: True, lambda: "", {})
    plain = lines_of(ask(app, "/metrics").body, "eu")
    assert len(plain) > 60
    seen: set[tuple[str, bool]] = set()

    def check(accept: str, encoding: str) -> None:
        answered = ask(app, "/metrics", accept=accept, accept_encoding=encoding)
        assert answered.status == 200
        form = Format(answered.headers["content-type"])
        zipped = "content-encoding" in answered.headers
        assert form is Format.TEXT or "application/openmetrics-text" in accept.lower()
        assert not zipped or "gzip" in encoding.lower() or "*" in encoding
        body = gzip.decompress(answered.body) if zipped else answered.body
        assert lines_of(body, "eu") == plain
        assert body.endswith(b"\n# EOF\n") == (form is Format.OPENMETRICS)
        seen.add((form.name, zipped))

    fuzz(check, FIELD, FIELD, times=12, bounded=200)
    assert {form for form, _ in seen} == {"TEXT", "OPENMETRICS"}
    assert {zipped for _, zipped in seen} == {True, False}

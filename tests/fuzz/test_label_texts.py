"""Any text as a name: one series each in both formats, which parsers read back as what went in."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from exporter.exposition import Exposition, Format
from exporter.exposition.labels import LONGEST, guard
from exporter.families import POLLED
from exporter.records import WakeableModel, WakeableNode
from exporter.records.table import Tables
from tests.fuzz.conftest import Fuzz
from tests.fuzz.payloads import HOSTILE
from tests.golden.cases import whole
from tests.golden.texts import Samples, families_apart, samples

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
ODD = st.text(st.sampled_from('\\"\n\r\t\x00\x1f\x7f\x85\u2028\ufffd\ud800\udfff{}=,# e\u0301'), max_size=12)
LONG = st.integers(LONGEST - 3, LONGEST + 3).flatmap(lambda size: st.text("ab\\\n", min_size=size, max_size=size))
TEXTS = st.one_of(ANY, ODD, LONG, st.sampled_from([each for each in HOSTILE if isinstance(each, str)]))


def labels(found: Samples, name: str, label: str) -> list[str]:
    return sorted(dict(pairs).get(label, "") for (family, pairs) in found if family == name)


@pytest.mark.promise("Fuzzing", "Any text as a label is one sample, which parsers of both formats read back")
def test_any_text_is_a_label(fuzz: Fuzz) -> None:
    exposition = Exposition(POLLED, limit=10**6)

    def check(names: list[str], provider: str) -> None:
        nodes = tuple(WakeableNode("eu", name, provider, "inv", "sleeping", 1.0, None) for name in names)
        models = tuple(WakeableModel("eu", "x", name) for name in names)
        tables: Tables = {WakeableNode: nodes, WakeableModel: models}
        shown = exposition.publish({"fleet eu": tables})
        texts = {form: whole(shown, form) for form in Format}
        found = {form: samples(text, form) for form, text in texts.items()}
        assert families_apart(texts[Format.TEXT]) == []
        assert found[Format.TEXT] == found[Format.OPENMETRICS]
        wanted = sorted(map(guard, names))
        for name, label in (("rollcall_wakeable_info", "logical_id"), ("rollcall_wakeable_model", "model")):
            assert labels(found[Format.TEXT], name, label) == wanted
        assert set(labels(found[Format.TEXT], "rollcall_wakeable_info", "provider")) == {guard(provider)}

    fuzz(check, st.lists(TEXTS, min_size=1, max_size=3, unique=True), TEXTS, times=6, bounded=150)

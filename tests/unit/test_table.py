"""What of a table is another than before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.records import Store
from exporter.records.table import SLICE, others

FLEETS = st.sampled_from("abc")
CHANGES = st.dictionaries(st.integers(0, 3 * SLICE), FLEETS, max_size=8)


@given(st.integers(0, 3 * SLICE), st.integers(0, 3 * SLICE), CHANGES)
def test_the_places_of_other_records_are_found(count: int, after: int, changes: dict[int, str]) -> None:
    """Every other record is found, and none that stayed; an equal one may be."""
    records = [Store("a", None) for _ in range(max(count, after))]
    now = [Store(changes[at], None) if at in changes else record for at, record in enumerate(records)][:after]
    found = others(records[:count], now)
    assert found == sorted(found)
    assert set(found) <= {at for at in range(after) if at >= count or at in changes}
    assert set(found) >= {at for at in range(after) if at >= count or changes.get(at, "a") != "a"}

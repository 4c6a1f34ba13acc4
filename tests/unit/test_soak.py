"""What a soak makes of what it saw."""

from __future__ import annotations

import msgspec
import pytest

from tests.promises.document import DOCUMENT
from tests.soak.document import RECORDED, rendered
from tests.soak.report import WRONG, Course, Report, course, slope


def test_a_slope_is_an_hour_s() -> None:
    assert slope([(10.0, 5.0), (20.0, 6.0), (30.0, 7.0)]) == pytest.approx(360.0)
    assert slope([(10.0, 5.0), (20.0, 5.0)]) == 0.0
    assert slope([(10.0, 5.0)]) == 0.0


def test_the_first_third_is_not_of_the_slope() -> None:
    points = [(float(at), 0.0 if at < 30 else 40.0) for at in range(91)]
    assert course(points) == Course(first=0.0, last=40.0, most=40.0, slope=0.0)


@pytest.mark.parametrize(
    "line",
    [
        'level=warn msg="Error on ingesting samples with different value but same timestamp" num_dropped=1',
        'level=WARN msg="Error on ingesting out-of-order samples" num_dropped=1',
        'level=warn msg="Error on ingesting samples that are too old or are too far into the future" num_dropped=1',
        'level=debug msg="Duplicate sample for timestamp" series=up',
        'level=debug msg="Out of order sample" series=up',
    ],
)
def test_what_a_prometheus_says_of_samples_it_does_not_take(line: str) -> None:
    assert WRONG.search(line)


def test_the_document_has_what_was_recorded() -> None:
    document = DOCUMENT.read_text("utf-8")
    report = msgspec.json.decode(RECORDED.read_bytes(), type=Report)
    assert rendered(document, report) == document
    report.prometheuses[0].failed += 1
    assert rendered(document, report) != document

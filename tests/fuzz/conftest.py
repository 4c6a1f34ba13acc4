"""Draws cases, has a check hold for each, and notes how many there were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.payloads import EXAMPLES, REPRODUCIBLE
from tests.promises.recording import Measured
from tests.real.scale import FULL

Fuzz = Callable[..., None]
"""Takes a check and a strategy for each of its arguments.

In a full run there are `times` as many cases as `EXAMPLES`, elsewhere `bounded` at most.
"""


@pytest.fixture
def fuzz(measured: Measured) -> Fuzz:
    """Has a check hold for cases drawn anew, the same ones in every run."""

    def run(
        check: Callable[..., None], *drawn: st.SearchStrategy[Any], times: int = 1, bounded: int = EXAMPLES
    ) -> None:
        cases = 0
        most = EXAMPLES * times if FULL else min(EXAMPLES, bounded)

        @settings(REPRODUCIBLE, max_examples=most)
        @given(st.tuples(*drawn))
        def case(arguments: tuple[Any, ...]) -> None:
            nonlocal cases
            check(*arguments)
            cases += 1

        case()
        measured("cases", cases, "")

    return run

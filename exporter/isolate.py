"""The one place where anything that goes wrong is caught: a reading that fails costs nobody else theirs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from exporter.sources.collector import CollectorError
from exporter.sources.source import SourceError

T = TypeVar("T")

log = logging.getLogger("rollcall")


class Attempted(NamedTuple, Generic[T]):
    """How a reading went: its value, or why there is none; `result` is one of `READ_RESULTS`, `seconds` how long."""

    value: T | None
    result: str
    message: str
    seconds: float


def isolated(name: str, read: Callable[[], T], clock: Callable[[], float] = time.monotonic) -> Attempted[T]:
    """Run a reading; whatever it raises becomes a result. What nobody foresaw is `malformed`, and logged whole."""
    started = clock()
    try:
        return Attempted(read(), "ok", "", clock() - started)
    except SourceError as error:
        return Attempted(None, error.result, str(error), clock() - started)
    except CollectorError as error:
        return Attempted(None, "malformed", str(error), clock() - started)
    except Exception as error:
        log.exception("%s: a reading failed in a way nobody foresaw", name)
        return Attempted(None, "malformed", f"unforeseen {type(error).__name__}", clock() - started)

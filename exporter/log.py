"""The log: one line per event on standard error, as logfmt or JSON."""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")


_SECRETS = re.compile(r"(?<=://)[^/?#\s]*@|(?i:(?<=bearer )|(?<=basic ))[^\s,;\"']+")
"""What opens something in a text: a URL's user and password, and what an Authorization header bears."""


def redacted(text: str) -> str:
    """A text without what opens anything: the last line of defence, for those who write texts leave it out."""
    return _SECRETS.sub(lambda found: "***@" if found[0].endswith("@") else "***", text)


def trace_of(error: BaseException) -> str:
    """Where an error comes from, and what kinds it and its causes are; not what it says, which may quote anything."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    told = "" if before is None else trace_of(before) + "\nand then\n"
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{told}Traceback (most recent call last):\n{frames}{type(error).__qualname__}: text withheld"


class _Line(logging.Formatter):
    """Formats a record as one line with ts, level, msg, what it says in `said`, and an exception's traceback."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": "warn" if record.levelname == "WARNING" else record.levelname.lower(),
            "msg": redacted(record.getMessage()),
            **{
                key: redacted(said) if isinstance(said, str) else said
                for key, said in getattr(record, "said", {}).items()
            },
        }
        if record.exc_info and record.exc_info[1]:
            fields["trace"] = trace_of(record.exc_info[1])
        if self._form == "json":
            return json.dumps(fields)
        return " ".join(f"{key}={_logfmt(text)}" for key, text in fields.items())


def _logfmt(text: str) -> str:
    plain = text.isprintable() and not any(sign in text for sign in ' "=')
    return text if plain and text else json.dumps(text)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the log, as Prometheus' exporters have them."""
    parser.add_argument("--log.level", dest="level", choices=LEVELS, default="info", help="default: %(default)s")
    parser.add_argument("--log.format", dest="form", choices=FORMATS, default="logfmt", help="default: %(default)s")


def set_up(level: str, form: str, stream: TextIO = sys.stderr) -> None:
    """Send every log line of at least `level` (one of `LEVELS`) to `stream` in `form` (one of `FORMATS`)."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Line(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    # uvicorn tells at info what Rollcall says itself.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    sys.excepthook = _unforeseen
    threading.excepthook = lambda told: _unforeseen(told.exc_type, told.exc_value, told.exc_traceback)


def _unforeseen(kind: type[BaseException], error: BaseException | None, _trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("rollcall").error("an error that nobody foresaw", exc_info=error or kind())

"""The log: one line per event on standard error, as logfmt or JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")


class _Line(logging.Formatter):
    """Formats a record as one line with ts, level, msg, what it says in `said`, and an exception's traceback."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": "warn" if record.levelname == "WARNING" else record.levelname.lower(),
            "msg": record.getMessage(),
            **getattr(record, "said", {}),
        }
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        if self._form == "json":
            return json.dumps(fields)
        return " ".join(f"{key}={_logfmt(text)}" for key, text in fields.items())


def _logfmt(text: str) -> str:
    plain = text.isprintable() and not any(sign in text for sign in ' "=')
    return text if plain and text else json.dumps(text)


def set_up(level: str, form: str, stream: TextIO = sys.stderr) -> None:
    """Send every log line of at least `level` (one of `LEVELS`) to `stream` in `form` (one of `FORMATS`)."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Line(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    # uvicorn tells at info what Rollcall says itself.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)

"""What log lines hold, and what they leave out: what opens something, and what errors quote."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from exporter.log import FORMATS, redacted, set_up

CANARY = "canary-5Jw8"


@pytest.fixture(params=FORMATS)
def stream(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    written = io.StringIO()
    set_up("debug", request.param, written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


def fail() -> None:
    try:
        raise KeyError(CANARY)
    except KeyError as error:
        raise ValueError(f"got {CANARY}") from error


@pytest.mark.promise("Secrets", "A traceback in the log says where and of what kind an error is, not what it quotes")
def test_a_traceback_quotes_nothing(stream: io.StringIO) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("rollcall").exception("failed")
    text = stream.getvalue()
    assert CANARY not in text
    assert "Traceback" in text
    assert "in fail" in text
    assert text.index("KeyError: text withheld") < text.index("ValueError: text withheld")
    assert text.count("\n") == 1


def test_what_nobody_caught_is_logged_the_same_way(stream: io.StringIO) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert all("ValueError: text withheld" in line and CANARY not in line for line in lines)


TEXTS = {
    f"http://reader:{CANARY}@host/x": "http://***@host/x",
    f"see https://{CANARY}@host and more": "see https://***@host and more",
    f"Authorization: Bearer {CANARY}": "Authorization: Bearer ***",
    f"'authorization': 'basic {CANARY}', 'x'": "'authorization': 'basic ***', 'x'",
    "http://host:1/a@b a basic": "http://host:1/a@b a basic",
}


@pytest.mark.parametrize(("text", "left"), TEXTS.items())
def test_what_opens_something_is_left_out(text: str, left: str) -> None:
    assert redacted(text) == left


def test_every_field_of_a_line_is_redacted(stream: io.StringIO) -> None:
    url = f"http://a:{CANARY}@h"
    logging.getLogger("rollcall").warning("at %s", url, extra={"said": {"error": url, "seconds": "1"}})
    text = stream.getvalue()
    assert CANARY not in text
    assert text.count("***@h") == 2
    if text.startswith("{"):
        assert json.loads(text)["error"] == "http://***@h"

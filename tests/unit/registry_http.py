"""A registry behind its endpoints, without a server: a real file and writer in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.endpoint import Secret
from exporter.registry.admission import Admission, Allowance
from exporter.registry.api import LOOKING, Api, Token
from exporter.registry.rejections import Rejections
from exporter.registry.search import Search
from exporter.registry.store import RegistryStore
from exporter.registry.writer import Writer
from tests.unit.asgi import Answered, ask

W = "/v1/agl/workers"


class Registry:
    """A registry in a folder, and what it counted."""

    def __init__(
        self,
        folder: Path,
        *,
        token: str | None = None,
        most: int = 10_000,
        per_client: int = 10_000,
        most_looking: int = LOOKING,
        writer: type[Writer[Token]] = Writer,
    ) -> None:
        self.store = RegistryStore.open(folder, most=most, per_client=per_client)
        self.rejections = Rejections()
        self.now = 1000.0
        self.writer = writer(self.store, lambda: self.now)
        self.search = Search(self.store.path)
        allowance = Allowance(10**6, lambda: 0.0)
        door = Admission(None if token is None else Secret(token), False, allowance, self.rejections)
        self.api = Api(self.writer, self.search, door, lambda: 5.0, most_looking)

    def ask(self, method: str, path: str, body: object = b"", **headers: str) -> Answered:
        """Send a request, a body as JSON unless it is bytes."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content_type": "application/json", "content_length": str(len(sent)), **headers}
        return ask(self.api, path, method, sent, **{name: text for name, text in given.items() if text})

    def got(self, method: str, path: str, body: object = b"", **headers: str) -> tuple[int, Any]:
        """Status and decoded body of an answer."""
        answered = self.ask(method, path, body, **headers)
        assert answered.headers["content-type"] == "application/json"
        return answered.status, json.loads(answered.body)


@contextmanager
def running(folder: Path, **limits: Any) -> Iterator[Registry]:
    registry = Registry(folder, **limits)
    registry.api.start()
    try:
        yield registry
    finally:
        registry.api.stop()
        registry.store.close()

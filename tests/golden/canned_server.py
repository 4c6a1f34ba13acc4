"""An Agent Lightning 1.x server, and what stands in its place, without a network.

Behaviour: agentlightning 1.0.0, `server/routes/rollouts.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from exporter.sources.fetch import Fetched
from exporter.sources.source import Deadline, SourceError

Broken = Callable[[str], Any]


class CannedServer:
    """A server's rollouts by id with their states, and its log; stands for its door and its sessions too.

    `broken` may give another answer for a path (bytes as they are, anything else as JSON), None for the true one, or
    raise. `version` is None where neither API is there. `asked` are the paths of all requests.
    """

    def __init__(self, version: str | None = "1.x") -> None:
        self.version = version
        self.rollouts: dict[str, str] = {}
        self.log: list[str] = []
        self.broken: Broken = lambda path: None
        self.asked: list[str] = []
        self.deadline = Deadline(60)

    def finish(self, *rollouts: str, state: str = "succeeded") -> None:
        """Let rollouts finish, which need not have been there."""
        for rollout in rollouts:
            self.rollouts[rollout] = state
            self.log.append(rollout)

    def restart(self) -> None:
        """Forget everything."""
        self.rollouts, self.log = {}, []

    def __call__(self, deadline: Deadline) -> CannedServer:
        self.deadline = deadline
        return self

    def __enter__(self) -> CannedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def get(self, path: str) -> Fetched:
        self.deadline.remaining()
        self.asked.append(path)
        said = self.broken(path)
        if said is None:
            said = self._answer(path)
        return Fetched(said if isinstance(said, bytes) else json.dumps(said).encode(), None)

    def _answer(self, path: str) -> Any:
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        match self.version, parts.path:
            case "0.3", "/v1/agl/health":
                return {"status": "ok"}
            case "0.3", "/v1/agl/workers" | "/v1/agl/rollouts":
                return {"items": [], "total": 0}
            case "0.3", "/v1/agl/statistics":
                return {"uptime": 60.0}
            case "0.3", other if not other.startswith("/v1/"):
                return b"<!doctype html><title>Dashboard</title>"
            case "1.x", "/healthz":
                return {"status": "ok"}
            case "1.x", "/api/rollouts":
                found = [name for name, state in self.rollouts.items() if state in query["state_in"]]
                return [self._rollout(name) for name in found[: int(query["limit"][0])]]
            case "1.x", "/api/rollouts/terminal":
                return self._finished(int(query["after"][0]), int(query["limit"][0]))
        raise SourceError("http", f"GET {parts.path}: expected status 200, got 404", 404)

    def _rollout(self, name: str) -> dict[str, Any]:
        status = {
            "state": self.rollouts[name],
            "k8s_job_name": None,
            "version": 1,
            "created_at": 1.0,
            "updated_at": 2.0,
        }
        return {"rollout_id": name, "input": {"data_id": "x"}, "is_train": True, "config": {}, "status": status}

    def _finished(self, after: int, limit: int) -> dict[str, Any]:
        part = self.log[after : after + limit]
        entries = [
            {"rollout_id": name, "state": self.rollouts[name], "data_id": "x", "is_train": True}
            for name in part
            if name in self.rollouts
        ]
        return {"items": entries, "next_after": after + len(part), "total_terminal": len(self.log)}

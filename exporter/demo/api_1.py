"""Agent Lightning 1.x's read API over HTTP, of the same store: paths, parameters and shapes of agentlightning 1.0.0.

Who works on what is nobody's business there: a rollout waits, runs, or ended one way or the other.
"""

from __future__ import annotations

from itertools import islice
from typing import Any
from urllib.parse import parse_qs

import msgspec

from exporter.demo.api import Params, RejectedError, integer, literal
from exporter.demo.server import Answer, Request
from exporter.demo.store import Rollout, Store

STATES = {
    "queuing": ("queuing", "requeuing"),
    "running": ("preparing", "running"),
    "succeeded": ("succeeded",),
    "failed": ("failed", "cancelled"),
}
"""The store's statuses by the state of 1.x that they are."""

STATE_OF = {status: state for state, statuses in STATES.items() for status in statuses}


class ServerApi:
    """Answers of one server, without a key; the caller keeps the store still meanwhile."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._routes = {
            "/healthz": lambda _: {"status": "ok"},
            "/api/rollouts": self._rollouts,
            "/api/rollouts/terminal": self._finished,
        }

    def answer(self, request: Request) -> Answer:
        """Answer a request as the server does."""
        route = self._routes.get(request.path)
        if route is None:
            return Answer(404, b'{"detail":"Not Found"}')
        if request.method != "GET":
            return Answer(405, b'{"detail":"Method Not Allowed"}', (("allow", "GET"),))
        try:
            return Answer(200, msgspec.json.encode(route(parse_qs(request.query, keep_blank_values=True))))
        except RejectedError as error:
            return Answer(error.status, msgspec.json.encode({"detail": error.detail}))

    def _rollouts(self, params: Params) -> list[dict[str, Any]]:
        errors: list[dict[str, Any]] = []
        wanted = params.get("state_in", [])
        if not wanted:
            missing = {"type": "missing", "loc": ["query", "state_in"], "msg": "Field required", "input": None}
            errors.append(missing)
        for place, state in enumerate(wanted):
            errors += literal(["query", "state_in", place], state, tuple(STATES))
        limit = integer("limit", params, 500, errors)
        if errors:
            raise RejectedError(422, errors)
        found = [rollout for rollout in self._store.rollouts.values() if STATE_OF[rollout.status] in wanted]
        return [_shown(rollout) for rollout in found[:limit]]

    def _finished(self, params: Params) -> dict[str, Any]:
        errors: list[dict[str, Any]] = []
        after = max(0, integer("after", params, 0, errors))
        limit = max(1, integer("limit", params, 1000, errors))
        if errors:
            raise RejectedError(422, errors)
        total, kept = self._store.total_finished, self._store.finished
        end = max(after, min(after + limit, total))
        gone = total - len(kept)
        items = [self._entry(rollout) for rollout in islice(kept, max(0, after - gone), max(0, end - gone))]
        return {"items": items, "next_after": end, "total_terminal": total}

    def _entry(self, rollout_id: str) -> dict[str, Any]:
        rollout = self._store.rollouts[rollout_id]
        state = STATE_OF[rollout.status]
        return {"rollout_id": rollout_id, "state": state, "data_id": "", "is_train": rollout.mode == "train"}


def _shown(rollout: Rollout) -> dict[str, Any]:
    attempt = rollout.attempt
    return {
        "rollout_id": rollout.rollout_id,
        "input": rollout.input,
        "is_train": rollout.mode == "train",
        "config": {"timeout_seconds": int(rollout.config.timeout_seconds or 3600), "local": None, "k8s": None},
        "metadata": {"batch_idx": None, "sample_idx_in_batch": None},
        "status": {
            "state": STATE_OF[rollout.status],
            "k8s_job_name": None,
            "last_attempt_id": None if isinstance(attempt, msgspec.UnsetType) else attempt.attempt_id,
            "error_message": None,
            "version": 1,
            "created_at": rollout.start_time,
            "updated_at": rollout.end_time or rollout.start_time,
        },
    }

"""LightningStore's read API over HTTP: paths, parameters, pages and error bodies of agentlightning 0.3.0."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec

from exporter.demo.server import Answer, Request
from exporter.demo.store import Attempt, Rollout, Store, Worker

PREFIX = "/v1/agl"
WORKER_STATUSES = ("idle", "busy", "unknown")
ROLLOUT_STATUSES = ("queuing", "preparing", "running", "failed", "succeeded", "cancelled", "requeuing")
ROLLOUT_FIELDS = tuple(name for name in Rollout.__struct_fields__ if name != "attempt")

T = TypeVar("T")
Params = dict[str, list[str]]


class RejectedError(Exception):
    """A request that the store would not answer: status and `detail` of the error body."""

    def __init__(self, status: int, detail: Any) -> None:
        super().__init__(status)
        self.status, self.detail = status, detail


class Api:
    """Answers of one store; the caller keeps the store still meanwhile."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._routes: tuple[tuple[re.Pattern[str], Callable[[Params, str], Any]], ...] = (
            (re.compile(f"{PREFIX}/health"), lambda _, __: {"status": "ok"}),
            (re.compile(f"{PREFIX}/statistics"), lambda _, __: store.statistics()),
            (re.compile(f"{PREFIX}/workers"), self._workers),
            (re.compile(f"{PREFIX}/workers/([^/]+)"), lambda _, name: store.workers.get(name)),
            (re.compile(f"{PREFIX}/rollouts"), self._rollouts),
            (re.compile(f"{PREFIX}/rollouts/([^/]+)/attempts"), self._attempts),
        )

    def answer(self, request: Request) -> Answer:
        """Answer a request as the store does."""
        for pattern, route in self._routes:
            found = pattern.fullmatch(request.path)
            if found is None:
                continue
            if request.method != "GET":
                return Answer(405, b'{"detail":"Method Not Allowed"}', (("allow", "GET"),))
            params = parse_qs(request.query, keep_blank_values=True)
            try:
                return Answer(200, msgspec.json.encode(route(params, "".join(found.groups()))))
            except RejectedError as error:
                return Answer(error.status, msgspec.json.encode({"detail": error.detail}))
        return Answer(404, b'{"detail":"Not Found"}')

    def _workers(self, params: Params, _: str) -> dict[str, Any]:
        query = Query(params, Worker.__struct_fields__, statuses=WORKER_STATUSES, logic=True)
        tests: list[Callable[[Worker], bool]] = []
        if statuses := params.get("status_in"):
            tests.append(lambda worker: worker.status in statuses)
        if part := params.get("worker_id_contains"):
            tests.append(lambda worker: part[-1] in worker.worker_id)
        return query.page(query.matching(self._store.workers.values(), tests))

    def _rollouts(self, params: Params, _: str) -> dict[str, Any]:
        query = Query(params, ROLLOUT_FIELDS, statuses=ROLLOUT_STATUSES, logic=True)
        tests: list[Callable[[Rollout], bool]] = []
        statuses, wanted = params.get("status_in"), params.get("rollout_id_in")
        if statuses:
            tests.append(lambda rollout: rollout.status in statuses)
        if wanted:
            tests.append(lambda rollout: rollout.rollout_id in wanted)
        if part := params.get("rollout_id_contains"):
            tests.append(lambda rollout: part[-1] in rollout.rollout_id)
        page = query.page(query.matching(self._store.rollouts.values(), tests))
        if len(tests) == bool(statuses):
            page["total"] = sum(self._store.counts[status] for status in set(statuses or ROLLOUT_STATUSES))
        return page

    def _attempts(self, params: Params, rollout_id: str) -> dict[str, Any]:
        query = Query(params, Attempt.__struct_fields__, sort_by="sequence_id")
        return query.page(self._store.attempts.get(rollout_id, []))


class Query:
    """The paging, sorting and filter parameters of a request, checked in the store's order. Raises RejectedError."""

    def __init__(
        self,
        params: Params,
        fields: Sequence[str],
        *,
        statuses: Sequence[str] = (),
        logic: bool = False,
        sort_by: str | None = None,
    ) -> None:
        errors: list[dict[str, Any]] = []
        if statuses:
            for place, status in enumerate(params.get("status_in", [])):
                errors += literal(["query", "status_in", place], status, statuses)
        self._limit = integer("limit", params, -1, errors)
        self._offset = integer("offset", params, 0, errors)
        self._sort_by = params.get("sort_by", [sort_by])[-1]
        order = params.get("sort_order", ["asc"])[-1]
        errors += literal(["query", "sort_order"], order, ("asc", "desc"))
        self._logic = params.get("filter_logic", ["and"])[-1] if logic else "and"
        errors += literal(["query", "filter_logic"], self._logic, ("and", "or"))
        self._descending = order == "desc"
        if errors:
            raise RejectedError(422, errors)
        if self._sort_by is not None and self._sort_by not in fields:
            raise RejectedError(400, f"Invalid sort_by: {self._sort_by}, allowed fields are: {', '.join(fields)}")
        if self._limit == 0 or self._limit < -1:
            raise RejectedError(400, "Limit must be greater than 0 or -1 for no limit")
        if self._offset < 0:
            raise RejectedError(400, "Offset must be greater than or equal to 0")

    def matching(self, items: Iterable[T], tests: Sequence[Callable[[T], bool]]) -> list[T]:
        """Those items that pass all tests, or any with `filter_logic=or`; all of them where there is no test."""
        enough = any if self._logic == "or" and tests else all
        return [item for item in items if enough(test(item) for test in tests)]

    def page(self, items: Sequence[Any]) -> dict[str, Any]:
        """The page of `items` that was asked for; `total` counts them all. Raises RejectedError."""
        if self._sort_by:
            try:
                items = sorted(items, key=self._key, reverse=self._descending)
            except TypeError:
                raise RejectedError(500, "Internal server error") from None
        end = len(items) if self._limit == -1 else self._offset + self._limit
        return {
            "items": items[self._offset : end],
            "limit": self._limit,
            "offset": self._offset,
            "total": len(items),
        }

    def _key(self, item: Any) -> Any:
        value = getattr(item, self._sort_by or "")
        if value is None:
            return float("inf") if (self._sort_by or "").endswith("_time") else ""
        return value


def integer(name: str, params: Params, default: int, errors: list[dict[str, Any]]) -> int:
    """The whole number that a parameter is; adds to the errors where it is none."""
    text = params.get(name, [str(default)])[-1]
    try:
        return int(text)
    except ValueError:
        message = "Input should be a valid integer, unable to parse string as an integer"
        errors.append({"type": "int_parsing", "loc": ["query", name], "msg": message, "input": text})
        return default


def literal(place: list[str | int], word: str, allowed: Sequence[str]) -> list[dict[str, Any]]:
    """The error of a word that is not among those allowed, or none."""
    if word in allowed:
        return []
    quoted = [f"'{name}'" for name in allowed]
    expected = f"{', '.join(quoted[:-1])} or {quoted[-1]}"
    message = f"Input should be {expected}"
    return [{"type": "literal_error", "loc": place, "msg": message, "input": word, "ctx": {"expected": expected}}]

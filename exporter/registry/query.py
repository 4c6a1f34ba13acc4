"""Bodies and query strings as LightningStore takes them, with FastAPI's errors word for word.

The models are those of Agent Lightning 0.3.0, `store/client_server.py`; pydantic writes the errors there, so it does
here. Importing it takes a while, so this module is imported when the first request comes that needs it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import PydanticCustomError

from exporter.registry.bodies import BEATS, LONGEST_NAME, UNSAID, WrongError, canonical, parsed, storable
from exporter.registry.selection import ALL, COLUMNS, Selection
from exporter.state.events import AttemptReport, Dequeue

Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, Field(max_length=LONGEST_NAME)]


def _no_path(name: str) -> str:
    if name == BEATS:
        raise PydanticCustomError("value_error", "A worker cannot be called heartbeats")
    return name


WorkerName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern="^[^/]*$"), AfterValidator(_no_path)]
Word = Literal["idle", "busy", "unknown"]
Attempted = Literal["preparing", "running", "failed", "succeeded", "unresponsive", "timeout"]


class QueryWorkersRequest(BaseModel):
    """What a list of workers is asked with."""

    status_in: list[Word] | None = None
    worker_id_contains: str | None = None
    limit: int = ALL
    offset: int = 0
    sort_by: str | None = None
    sort_order: Literal["asc", "desc"] = "asc"
    filter_logic: Literal["and", "or"] = "and"


class UpdateWorkerRequest(BaseModel):
    """A heartbeat."""

    heartbeat_stats: dict[str, Any] | None = None


class DequeueRequest(BaseModel):
    """A worker asked for work elsewhere, and tells whether it got some."""

    claimed: bool
    rollout_id: Name | None = None
    attempt_id: Name | None = None


class AttemptRequest(BaseModel):
    """How a worker's attempt goes."""

    rollout_id: Name
    attempt_id: Name
    status: Attempted


class HeartbeatsRequest(BaseModel):
    """Heartbeats of many workers, by id."""

    heartbeats: dict[WorkerName, dict[str, Any] | None]


def selection_of_target(query_string: bytes) -> Selection:
    """Read a query string; raises WrongError."""
    given = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    values: dict[str, Any] = {name: text for name, text in given if name in QueryWorkersRequest.model_fields}
    if "status_in" in values:
        values["status_in"] = [text for name, text in given if name == "status_in"]
    return _selection(_validated(QueryWorkersRequest, values, "query"))


def selection_of_body(body: bytes) -> Selection:
    """Read a search; raises WrongError."""
    return _selection(_validated(QueryWorkersRequest, parsed(body), "body"))


def stats_of(body: bytes) -> bytes | None:
    """Read a heartbeat that is unusual; gives its snapshot as JSON, None without one, raises WrongError."""
    value = parsed(body)
    if value is None or value is UNSAID:
        return None
    request = _validated(UpdateWorkerRequest, value, "body")
    if "heartbeat_stats" not in request.model_fields_set:
        return None
    if request.heartbeat_stats is None:
        raise WrongError(400, "heartbeat_stats is invalid; it cannot be a null value.")
    return canonical(request.heartbeat_stats)


def beats_of(body: bytes) -> dict[str, dict[str, Any] | None]:
    """Read heartbeats by worker; raises WrongError."""
    return _validated(HeartbeatsRequest, storable(parsed(body)), "body").heartbeats


def dequeue_of(worker: str, body: bytes) -> Dequeue:
    """Read what came of a worker's asking for work; raises WrongError."""
    request = _validated(DequeueRequest, storable(parsed(body)), "body")
    return Dequeue(worker, request.claimed, request.rollout_id, request.attempt_id)


def attempt_of(worker: str, body: bytes) -> AttemptReport:
    """Read how an attempt goes; raises WrongError."""
    request = _validated(AttemptRequest, storable(parsed(body)), "body")
    return AttemptReport(worker, request.rollout_id, request.attempt_id, request.status)


def _selection(asked: QueryWorkersRequest) -> Selection:
    """Check what the types do not say, in LightningStore's order and words (`_validate_paginated_request`)."""
    if asked.sort_by is not None and asked.sort_by not in COLUMNS:
        raise WrongError(400, f"Invalid sort_by: {asked.sort_by}, allowed fields are: {', '.join(COLUMNS)}")
    if asked.limit == 0 or asked.limit < ALL:
        raise WrongError(400, "Limit must be greater than 0 or -1 for no limit")
    if asked.offset < 0:
        raise WrongError(400, "Offset must be greater than or equal to 0")
    return Selection(
        None if asked.status_in is None else tuple(asked.status_in),
        asked.worker_id_contains,
        asked.filter_logic == "or",
        asked.sort_by,
        asked.sort_order == "desc",
        asked.limit,
        asked.offset,
    )


def _validated(model: type[Model], value: object, where: str) -> Model:
    if value is UNSAID:
        raise WrongError(422, [{"type": "missing", "loc": [where], "msg": "Field required", "input": None}])
    try:
        return model.model_validate(value, from_attributes=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        raise WrongError(422, [{**each, "loc": [where, *each["loc"]]} for each in errors]) from None

"""The types of ASGI 3: https://asgi.readthedocs.io/en/latest/specs/main.html."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
"""What is known of a request before its body."""

Event = MutableMapping[str, Any]
"""A part of a request, or of an answer."""

Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
"""Answers a request."""

"""The rules about workers in words, for people."""

from __future__ import annotations

REASONS = {
    "reported": "the store's word stands: the newest evidence of life is no older than the heartbeat timeout",
    "silent": "the newest evidence of life is older than the heartbeat timeout",
    "unrecognised": "the store said a word that is no status",
    "heartbeat_only": "the store knows heartbeats only: a worker that never asked for work, or a store that was "
    "restarted under it",
    "attempt_timeout": "the store gave up on its attempt, which took too long; the worker may still be at it",
    "attempt_unresponsive": "the store gave up on its attempt, which sent no span for too long; the worker may still "
    "be at it",
    "attempt_flagged": "the store gave up on its attempt, and took it away; the worker may still be at it",
}
"""What each reason of `worker.worker_status` means."""

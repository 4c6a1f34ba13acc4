"""Whether a password is right: bcrypt in one thread, with a bound on who waits for it and a memory of answers."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from exporter.endpoint import Secret

WAITING = 32
"""Logins that wait for the thread at most; each takes 0.1 s at a cost of 10."""

WAITING_OF_CLIENT = 4
"""Logins of one client address that wait at most, so that one that guesses leaves room for others."""

KNOWN = 256
"""Answers that are kept of right logins, and as many of wrong ones."""

LETTERS = 72
"""Bytes of a password that bcrypt looks at."""

Check = Callable[[bytes, bytes], bool]
"""Tells whether a hash is that of a password."""


class BusyError(Exception):
    """As many logins as may wait are waiting."""


class Logins:
    """Tells right logins from wrong ones; belongs to an event loop.

    An answer that is known costs a digest; one that is not, as much work for a user who does not exist as for one
    whose password is wrong. No password is kept: answers are found by a keyed digest of user, hash and password.
    """

    def __init__(self, check: Check = bcrypt.checkpw, key: bytes | None = None) -> None:
        self._check = check
        self._key = key or secrets.token_bytes(32)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="login")
        self._waiting: dict[bytes, asyncio.Future[bool]] = {}
        self._of_client: Counter[str] = Counter()
        self._answers: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}

    async def right(self, users: Mapping[bytes, Secret], user: bytes, password: bytes, client: str) -> bool:
        """Tell whether a client address's login is right; raises BusyError. Who asks the same shares the work."""
        password = password[:LETTERS]
        hashed = users[user].reveal().encode() if user in users else b""
        digest = self._digest(user, hashed, password)
        for answer, known in self._answers.items():
            if digest in known:
                known.move_to_end(digest)
                return answer
        waiting = self._waiting.get(digest)
        if waiting is None:
            if len(self._waiting) >= WAITING or self._of_client[client] >= WAITING_OF_CLIENT:
                raise BusyError
            costs = [_cost(each.reveal().encode()) for each in users.values()]
            work = self._thread.submit(verified, self._check, password, hashed, max(costs))
            waiting = self._waiting[digest] = asyncio.wrap_future(work)
            self._of_client[client] += 1
            waiting.add_done_callback(lambda done: self._learn(done, digest, client))
        return await asyncio.shield(waiting)

    def _learn(self, done: asyncio.Future[bool], digest: bytes, client: str) -> None:
        del self._waiting[digest]
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]
        if done.cancelled() or done.exception() is not None:
            return
        known = self._answers[done.result()]
        known[digest] = None
        if len(known) > KNOWN:
            known.popitem(last=False)

    def _digest(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._key)
        for part in parts:
            digest.update(b"%d:" % len(part))
            digest.update(part)
        return digest.digest()


def verified(check: Check, password: bytes, hashed: bytes, most: int) -> bool:
    """Check a password with the work of a hash of cost `most`, whatever its own is; no hash at all is never right.

    A hash of cost c takes 2**c rounds; those of c, c + 1, … most - 1 on top of it make that 2**most.
    """
    if not hashed:
        check(password, _stand_in(most))
        return False
    right = check(password, hashed)
    for cost in range(_cost(hashed), most):
        check(password, _stand_in(cost))
    return right


def _cost(hashed: bytes) -> int:
    return int(hashed[4:6])


def _stand_in(cost: int) -> bytes:
    return b"$2b$%02d$%s" % (cost, b"." * 53)

"""Logins: the same work for a user who does not exist as for a wrong password, little work for what is known."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from typing import TypeVar

import bcrypt
import pytest

from exporter.endpoint import Secret
from exporter.web.logins import KNOWN, WAITING, WAITING_OF_CLIENT, BusyError, Logins, verified

T = TypeVar("T")


def hashed(password: bytes, cost: int = 4) -> Secret:
    return Secret(bcrypt.hashpw(password, bcrypt.gensalt(cost)).decode())


USERS = {b"bob": hashed(b"right"), "zoë".encode(): hashed(b"right", 6), b"eve": hashed(b"x" * 72, 5)}


class Counting:
    """bcrypt, which notes the rounds of each hash; while it is `held`, it waits."""

    def __init__(self) -> None:
        self.rounds: list[int] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, password: bytes, against: bytes) -> bool:
        assert self.free.wait(20)
        self.rounds.append(2 ** int(against[4:6]))
        return bcrypt.checkpw(password, against)


def run(work: Coroutine[object, object, T]) -> T:
    return asyncio.run(work)


@pytest.mark.parametrize(
    ("user", "password", "right"),
    [
        (b"bob", b"right", True),
        ("zoë".encode(), b"right", True),
        (b"bob", b"wrong", False),
        (b"bob", b"", False),
        (b"", b"right", False),
        (b"nobody", b"right", False),
        (b"BOB", b"right", False),
        (b"bob", b"right\x00", False),
        (b"eve", b"x" * 72, True),
        (b"eve", b"x" * 100, True),
        (b"eve", b"x" * 71, False),
    ],
)
def test_who_is_right(user: bytes, password: bytes, right: bool) -> None:
    assert run(Logins().right(USERS, user, password, "c")) is right


@pytest.mark.promise("Access", "unknown users cost the same work as wrong passwords")
@pytest.mark.parametrize("user", [b"bob", "zoë".encode(), b"eve", b"nobody", b"", b"\xff" * 99])
def test_nobody_is_told_apart_by_the_work(user: bytes) -> None:
    check = Counting()
    assert run(Logins(check).right(USERS, user, b"wrong", "c")) is False
    assert sum(check.rounds) == 2**6


def test_the_stand_in_of_a_user_who_does_not_exist_has_no_password() -> None:
    assert verified(lambda *_: True, b"any", b"", 4) is False


def test_what_is_known_costs_nothing_until_the_hash_changes() -> None:
    check = Counting()
    logins = Logins(check)
    users = {b"bob": hashed(b"right")}

    async def ask(password: bytes, among: Mapping[bytes, Secret] = users) -> bool:
        return await logins.right(among, b"bob", password, "c")

    async def story() -> None:
        assert [await ask(b"right"), await ask(b"wrong"), await ask(b"right"), await ask(b"wrong")] == [True, False] * 2
        assert len(check.rounds) == 2
        changed = {b"bob": hashed(b"other")}
        assert [await ask(b"right", changed), await ask(b"other", changed)] == [False, True]
        assert await ask(b"right", {b"al": hashed(b"right")}) is False
        assert len(check.rounds) == 5

    run(story())


def test_the_same_login_asked_by_many_at_once_is_checked_once() -> None:
    check = Counting()
    logins = Logins(check)

    async def story() -> list[bool]:
        return list(await asyncio.gather(*(logins.right(USERS, b"bob", b"right", f"c{n}") for n in range(200))))

    assert run(story()) == [True] * 200
    assert sum(check.rounds) == 2**6


def test_who_guesses_leaves_room_for_others_and_known_logins_never_wait() -> None:
    check = Counting()
    logins = Logins(check)

    async def guess(number: int, client: str) -> bool:
        return await logins.right(USERS, b"bob", b"guess %d" % number, client)

    async def story() -> None:
        assert await logins.right(USERS, b"bob", b"right", "prometheus")
        check.free.clear()
        guesses = [asyncio.create_task(guess(number, "thief")) for number in range(WAITING_OF_CLIENT)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await guess(99, "thief")
        others = [asyncio.create_task(guess(100 + number, f"t{number}")) for number in range(WAITING - len(guesses))]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await guess(999, "one more")
        assert await logins.right(USERS, b"bob", b"right", "prometheus")
        check.free.set()
        assert not any(await asyncio.gather(*guesses, *others))
        assert await guess(99, "thief") is False

    run(story())


def test_who_goes_away_costs_nobody_the_answer() -> None:
    check = Counting()
    logins = Logins(check)

    async def story() -> bool:
        check.free.clear()
        gone = asyncio.create_task(logins.right(USERS, b"bob", b"right", "c"))
        other = asyncio.create_task(logins.right(USERS, b"bob", b"right", "d"))
        await asyncio.sleep(0)
        gone.cancel()
        check.free.set()
        return await other

    assert run(story())


def test_wrong_logins_push_out_no_right_one() -> None:
    check = Counting()
    logins = Logins(lambda password, against: check(password, against))
    users = {b"bob": hashed(b"right")}

    async def story() -> None:
        assert await logins.right(users, b"bob", b"right", "c")
        for number in range(KNOWN + 5):
            await logins.right(users, b"bob", b"%d" % number, "c")
        done = len(check.rounds)
        assert await logins.right(users, b"bob", b"right", "c")
        assert len(check.rounds) == done
        assert await logins.right(users, b"bob", b"0", "c") is False
        assert len(check.rounds) == done + 1

    run(story())


def test_nothing_that_is_kept_holds_a_password() -> None:
    logins = Logins()
    run(logins.right(USERS, b"bob", b"CANARY-word", "c"))
    assert b"CANARY" not in repr(vars(logins)).encode()

"""What names are replaced by: keyed hashes, or aliases that are kept; equal names stay equal, others differ."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import BinaryIO

KEY_FILE, ALIAS_FILE = "privacy.key", "privacy.aliases"

KINDS = ("node", "host", "console")

DIGITS = 16
"""Hexadecimal digits of a hash: of 200,000 names any two are equal with a probability of 1 in 10^9."""

MOST_ALIASES = 200_000
"""Aliases that are kept: what is new beyond them has its hash in the place of the number."""

CACHED = 100_000

_LINE = re.compile(rb"(?P<kind>node|host|console) (?P<hash>[0-9a-f]{16})")

Hash = Callable[[str], str]

log = logging.getLogger("rollcall")


class PrivacyError(Exception):
    """Names cannot be hidden; the text says why, and the remedy."""


class Hashes:
    """Replaces a name by its hash with a key, whatever it names."""

    def __init__(self, hashed: Hash) -> None:
        self._hashed = hashed

    def name(self, _kind: str, said: str) -> str:
        """What stands for a name of one of `KINDS`."""
        return self._hashed(said)

    def keep(self) -> None:
        """Nothing is to be kept: a hash follows from the name and the key."""


class Aliases:
    """Replaces a name by its kind and a number, `node-3`; which is which is kept in a file, by hashes with a key.

    A line of the file is a kind and a hash, and its number is its place among those of its kind. Safe for threads.
    """

    def __init__(self, hashed: Hash, file: BinaryIO, path: Path) -> None:
        self._hashed = hashed
        self._file = file
        self._path = path
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._aliases: dict[tuple[str, str], str] = {}
        self._unkept: list[bytes] = []
        self._well = True
        self._end = 0
        self._recall(file.read())

    def _recall(self, text: bytes) -> None:
        # What follows the last line feed was being written when the process or the machine died.
        lines = text.split(b"\n")[:-1]
        for place, line in enumerate(lines, 1):
            found = _LINE.fullmatch(line)
            if found is None:
                raise PrivacyError(f"{self._path}:{place}: expected a kind and a hash, got something else; remove it")
            self._add(found["kind"].decode(), found["hash"].decode())
        self._end = sum(len(line) + 1 for line in lines)

    def name(self, kind: str, said: str) -> str:
        """What stands for a name of one of `KINDS`; `keep` before anybody sees it."""
        digest = self._hashed(said)
        with self._lock:
            if (known := self._aliases.get((kind, digest))) is not None:
                return known
            if len(self._aliases) >= MOST_ALIASES:
                return f"{kind}-{digest}"
            self._unkept.append(f"{kind} {digest}\n".encode())
            return self._add(kind, digest)

    def keep(self) -> None:
        """Have on disk what was named since; where it cannot be written, a line in the log says so, once."""
        with self._lock:
            if not self._unkept:
                return
            try:
                lines = b"".join(self._unkept)
                self._file.seek(self._end)
                self._file.truncate()
                if self._file.write(lines) < len(lines):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._file.fileno())
            except OSError as error:
                if self._well:
                    log.warning("new aliases are kept in memory only: %s: %s", self._path, error.strerror)
                self._well = False
                return
            self._end += len(lines)
            self._unkept.clear()
            self._well = True

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _add(self, kind: str, digest: str) -> str:
        self._counts[kind] += 1
        return self._aliases.setdefault((kind, digest), f"{kind}-{self._counts[kind]}")


Names = Hashes | Aliases


def open_names(mode: str, folder: Path | None, shards: int = 1) -> Names | None:
    """What replaces names in a mode, with what is kept of that in a state directory; None for `raw`.

    Raises PrivacyError where there is no such directory or it cannot be written, for a file that is no key or no
    aliases, and for `shards` that would not agree: they need copies of one key, and cannot share aliases.
    """
    if mode == "raw":
        return None
    if mode == "alias" and shards > 1:
        raise PrivacyError("privacy: expected hash or raw for shards, which share no aliases, got alias")
    if folder is None:
        raise PrivacyError(f"privacy: expected a state directory for {mode!r}, got none; set --state.dir")
    try:
        key = _key(folder, may_make=shards == 1)
        hashed = lru_cache(CACHED)(lambda said: hash_of(key, said))
        return Hashes(hashed) if mode == "hash" else _aliases(hashed, folder / ALIAS_FILE)
    except OSError as error:
        found = f"{error.filename or folder}: {error.strerror or 'an error'}"
        raise PrivacyError(f"privacy: expected a state directory that can be written, got {found}") from None


def of_mode(folder: Path | None, mode: str) -> Path | None:
    """Where the ledger of a mode is: apart, so that no names of another mode are recalled or missed."""
    return folder if folder is None or mode == "raw" else folder / mode


def hash_of(key: bytes, said: str) -> str:
    """The keyed hash of a name (BLAKE2b, RFC 7693), in hexadecimal digits."""
    text = said.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, key=key, digest_size=DIGITS // 2).hexdigest()


def _key(folder: Path, *, may_make: bool) -> bytes:
    path = folder / KEY_FILE
    if not path.exists():
        if not may_make:
            raise PrivacyError(f"{path}: expected a copy of one key for all shards, got none; make it with one shard")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_key(path)
    text = path.read_bytes()[:100]
    if not re.fullmatch(rb"[0-9a-f]{64}\n?", text):
        raise PrivacyError(f"{path}: expected 64 hexadecimal digits, got something else; restore or remove it")
    return bytes.fromhex(text.decode())


def _make_key(path: Path) -> None:
    """Write a random key, whole or not at all; another one that is there first stands."""
    made = path.with_name(f".{KEY_FILE}.{os.getpid()}")
    with open(made, "xb", opener=_private) as file:
        file.write(os.urandom(32).hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        made.unlink()


def _aliases(hashed: Hash, path: Path) -> Aliases:
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return Aliases(hashed, file, path)
    except BlockingIOError:
        file.close()
        raise PrivacyError(f"{path}: expected aliases of its own, got some in use; set --state.dir") from None
    except PrivacyError:
        file.close()
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

"""Looks up host names within a deadline, with at most one look-up of a host under way."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from exporter.sources.source import Deadline, SourceError

Address = tuple[int, tuple[Any, ...]]
GetAddrInfo = Callable[..., Sequence[tuple[Any, Any, Any, str, tuple[Any, ...]]]]


class _LookUp:
    """One look-up under way: its answer, or why there is none, once `over` is set."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.addresses: list[Address] = []
        self.trouble = "no address"


class Resolver:
    """Gives the (family, sockaddr) pairs of a host and port; one instance serves all sources and threads.

    getaddrinfo(3) cannot be interrupted, so it runs in a daemon thread. Reads of one host share the look-up that is
    under way: a resolver that hangs costs one thread per host, not one per read. Nothing is cached.
    """

    def __init__(self, getaddrinfo: GetAddrInfo = socket.getaddrinfo) -> None:
        self._getaddrinfo = getaddrinfo
        self._lock = threading.Lock()
        self._under_way: dict[str, _LookUp] = {}

    def __call__(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        """Raises SourceError: "timeout" when the deadline passes first, "refused" when the host has no address."""
        if is_literal(host):
            addresses, trouble = _look_up(socket.getaddrinfo, host, flags=socket.AI_NUMERICHOST)
        else:
            look_up = self._share(host)
            if not look_up.over.wait(deadline.remaining()):
                raise SourceError("timeout", f"expected an address for host {host!r}, got no answer from the resolver")
            addresses, trouble = look_up.addresses, look_up.trouble
        if not addresses:
            raise SourceError("refused", f"expected an address for host {host!r}, got: {trouble}")
        return [(family, (address[0], port, *address[2:])) for family, address in addresses]

    def _share(self, host: str) -> _LookUp:
        with self._lock:
            look_up = self._under_way.get(host)
            if look_up is None:
                look_up = _LookUp()
                thread = threading.Thread(target=self._run, args=(host, look_up), name=f"resolve {host}", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    raise SourceError("refused", f"cannot look up host {host!r}: {error}") from None
                self._under_way[host] = look_up
            return look_up

    def _run(self, host: str, look_up: _LookUp) -> None:
        try:
            look_up.addresses, look_up.trouble = _look_up(self._getaddrinfo, host)
        finally:
            with self._lock:
                self._under_way.pop(host, None)
            look_up.over.set()


def is_literal(host: str) -> bool:
    """Tell an IP address from a host name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _look_up(getaddrinfo: GetAddrInfo, host: str, flags: int = 0) -> tuple[list[Address], str]:
    try:
        found = getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=flags)
    except OSError as error:
        return [], error.strerror or type(error).__name__
    except ValueError:
        return [], "not a host name"
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found)), "no address"

"""What is only reached from the machine itself: addresses, and what a request calls its server."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address

_HOST = re.compile(rb"(?:localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[([0-9a-f:.]+)\])(?::\d{1,5})?", re.I)


def is_loopback(host: str) -> bool:
    """Tell whether an address is one of the loopback interface; a name is none."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def names_loopback(host: bytes) -> bool:
    """Tell whether a Host header is `localhost` or a loopback address, with or without a port.

    A page whose own name was made to resolve to a loopback address sends that name.
    """
    match = _HOST.fullmatch(host)
    return match is not None and (match[1] is None or is_loopback(match[1].decode()))

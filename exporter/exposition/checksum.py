"""CRC-32 of two texts in a row, from those of each: what a gzip trailer needs when nobody reads the text again."""

from __future__ import annotations

from collections.abc import Callable

Combine = Callable[[int, int, int], int]
"""Gives the CRC-32 of A + B from that of A, that of B, and the length of B in bytes."""

POLYNOMIAL = 0xEDB88320
"""That of CRC-32, the highest power in the lowest bit (RFC 1952, 8)."""

ONE = 0x80000000
"""x to the power of 0, in the same order of bits."""


def combination() -> Combine:
    """The quickest way to combine that there is."""
    return isal_combine() or zlib_combine() or combined


def isal_combine() -> Combine | None:
    """That of ISA-L; None where it is not installed."""
    try:
        from isal.isal_zlib import crc32_combine
    except ImportError:
        return None
    found: Combine = crc32_combine
    return found


def zlib_combine() -> Combine | None:
    """That of the system's zlib, which Python's module leaves out; None where it is not found."""
    import ctypes

    try:
        combine = ctypes.PyDLL("libz.so.1").crc32_combine
    except (OSError, AttributeError):
        return None
    combine.argtypes = (ctypes.c_ulong, ctypes.c_ulong, ctypes.c_long)
    combine.restype = ctypes.c_ulong
    found: Combine = combine
    return found


def combined(first: int, second: int, length: int) -> int:
    """Combine two CRC-32s; the checksum of A is multiplied by x to the power of 8 times the length of B.

    Mark Adler, zlib 1.2.12, crc32.c: crc32_combine_op.
    """
    return _times(_power(length), first) ^ second


def _times(first: int, second: int) -> int:
    """Multiply two polynomials, modulo that of CRC-32."""
    product = 0
    while first:
        if first & ONE:
            product ^= second
        first = first << 1 & 0xFFFFFFFF
        second = second >> 1 ^ POLYNOMIAL if second & 1 else second >> 1
    return product


def _squares() -> tuple[int, ...]:
    """x to the power of 8, 16, 32 and so on, for each bit of a length."""
    found = [ONE >> 8]
    while len(found) < BITS:
        found.append(_times(found[-1], found[-1]))
    return tuple(found)


BITS = 63
SQUARES = _squares()


def _power(length: int) -> int:
    """x to the power of 8 * `length`."""
    product = ONE
    for bit in range(length.bit_length()):
        if length >> bit & 1:
            product = _times(SQUARES[bit], product)
    return product

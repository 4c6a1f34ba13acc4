"""Opens TCP and TLS connections whose every read and write ends at one deadline."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.endpoint import Endpoint
from exporter.sources.resolve import Address
from exporter.sources.source import Deadline, SourceError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

Resolve = Callable[[str, int, Deadline], list[Address]]


class Limits:
    """What a connection may still cost: time until `deadline`, and `max_bytes` of answer since the last `renew()`.

    Of these, `head_bytes` may come before its body is `expected`. `received` counts the bytes of that answer; `ended`
    says that the other side has sent its last.
    """

    def __init__(self, deadline: Deadline, max_bytes: int, head_bytes: int) -> None:
        self.deadline = deadline
        self.max_bytes = max_bytes
        self.head_bytes = head_bytes
        self.received = 0
        self.expected = False
        self.ended = False

    def renew(self) -> None:
        """Start counting anew, for the next answer over the same connection."""
        self.received = 0
        self.expected = False

    def count(self, received: int) -> int:
        """Count bytes that arrived, 0 at the end; raises SourceError("too_large") over `max_bytes`."""
        self.received += received
        self.ended = received == 0
        if self.received > self.max_bytes:
            raise SourceError("too_large", f"expected an answer of at most {self.max_bytes} bytes, got more")
        if self.received > self.head_bytes and not self.expected:
            raise SourceError("too_large", f"expected HTTP headers of at most {self.head_bytes} bytes, got more")
        return received


class BoundedSocket(socket.socket):
    """A socket for http.client that sets its timeout to what remains of the deadline before each call."""

    limits: Limits

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """As socket.recv_into; raises SourceError when a limit is reached."""
        self.settimeout(self.limits.deadline.remaining())
        return self.limits.count(super().recv_into(buffer, nbytes, flags))

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        """As socket.sendall; raises SourceError when the deadline is over."""
        self.settimeout(self.limits.deadline.remaining())
        super().sendall(data, flags)


class BoundedTLSSocket(ssl.SSLSocket):
    """The same over TLS; `SSLSocket.sendall` is a loop over `send`."""

    limits: Limits

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        """As SSLSocket.recv_into; raises SourceError when a limit is reached."""
        self.settimeout(self.limits.deadline.remaining())
        return self.limits.count(super().recv_into(buffer, nbytes, flags))

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """As SSLSocket.send; raises SourceError when the deadline is over."""
        self.settimeout(self.limits.deadline.remaining())
        return super().send(data, flags)


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Trust an endpoint's CA certificates, or the system's, and show it our own certificate where there is one.

    Certificate and host name are always checked. Raises SourceError("tls") when a file cannot be read, or is no such.
    """
    ca_file, cert_file = endpoint.ca_file, endpoint.cert_file
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SourceError("tls", f"expected CA certificates in {ca_file}, got: {_found(error)}") from None
    # Python 3.13 asks for extensions (RFC 5280) that authorities of one's own often lack; Prometheus does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.sslsocket_class = BoundedTLSSocket
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, endpoint.cert_key_file, "")
        except OSError as error:
            expected = f"expected a certificate in {cert_file} and its key in {endpoint.cert_key_file}"
            raise SourceError("tls", f"{expected}, got: {_found(error)}") from None
    return context


def _found(error: OSError) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or type(error).__name__


class Trust:
    """The TLS context of an endpoint, made again when one of its files is another; None for plain HTTP.

    While the new files cannot be loaded, which happens between the renewal of a certificate and that of its key, the
    old context stays.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._context: ssl.SSLContext | None = None
        self._marks: list[tuple[int, ...]] = []

    def __call__(self) -> ssl.SSLContext | None:
        """Give it; raises SourceError("tls") where there never was one."""
        if self._endpoint.scheme != "https":
            return None
        files = (self._endpoint.ca_file, self._endpoint.cert_file, self._endpoint.cert_key_file)
        marks = [_mark(file) for file in files if file is not None]
        if self._context is None or marks != self._marks:
            try:
                self._context, self._marks = tls_context(self._endpoint), marks
            except SourceError:
                if self._context is None:
                    raise
        return self._context


def _mark(file: str) -> tuple[int, ...]:
    try:
        found = Path(file).stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def connect(endpoint: Endpoint, host: str, limits: Limits, resolve: Resolve) -> BoundedSocket:
    """Connect to the first of the host's addresses that answers; each may take its share of the time that is left.

    Raises SourceError("timeout" or "refused"), after the last address.
    """
    addresses = resolve(host, endpoint.port, limits.deadline)
    refusal = SourceError("refused", f"expected an address for host {host!r}, got none")
    for tried, (family, address) in enumerate(addresses):
        seconds = limits.deadline.remaining() / (len(addresses) - tried)
        try:
            return _open(family, address, seconds, limits)
        except TimeoutError:
            refusal = SourceError("timeout", f"expected a connection to {endpoint.netloc}, got no answer in time")
        except OSError as error:
            found = error.strerror or type(error).__name__
            refusal = SourceError("refused", f"expected a connection to {endpoint.netloc}, got: {found}")
    raise refusal


def secure(plain: BoundedSocket, host: str, context: ssl.SSLContext) -> BoundedTLSSocket:
    """Do the TLS handshake within the deadline; `plain` is used up, whatever happens.

    Raises what ssl raises, TimeoutError and SourceError("timeout").
    """
    with plain:
        sock = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    assert isinstance(sock, BoundedTLSSocket)
    sock.limits = plain.limits
    try:
        sock.settimeout(sock.limits.deadline.remaining())
        sock.do_handshake()
    except (OSError, ValueError, SourceError):
        sock.close()
        raise
    return sock


def _open(family: int, address: tuple[object, ...], seconds: float, limits: Limits) -> BoundedSocket:
    sock = BoundedSocket(family, socket.SOCK_STREAM)
    sock.limits = limits
    try:
        sock.settimeout(seconds)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock

"""Where an upstream is and what opens it, with secrets that cannot be printed by accident."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import msgspec


class Secret:
    """A password, key or token whose text only `reveal()` gives: not `str`, not `repr`, not a traceback."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the secret itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP server: `scheme`, `host` (no brackets), `port` and `path` (no trailing slash), and its credentials.

    `ca_file`, `cert_file` and `cert_key_file` are paths of PEM files: who may sign its certificate, the certificate
    that it is shown, and that one's key. Its own must bear `server_name`, or the host where that is None.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    username: str | None = None
    password: Secret | None = None
    key: Secret | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    cert_key_file: str | None = None
    server_name: str | None = None

    @property
    def netloc(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The `source` label: `host:port`, and the path where the URL has one of its own."""
        return self.netloc + self.path

    @property
    def url(self) -> str:
        """The URL without credentials."""
        return f"{self.scheme}://{self.name}"


def parse_url(url: str, default_port: int) -> Endpoint:
    """Parse an http(s) URL; user and password in it become the endpoint's credentials.

    `default_port` is for http without a port; https without one is 443. Raises ValueError with what was expected and
    what was found, credentials left out.
    """
    wrong = f"expected an http(s) URL, got {without_credentials(url)!r}"
    if any(ord(letter) <= 0x20 or ord(letter) == 0x7F for letter in url):
        raise ValueError(wrong)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(wrong) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(wrong)
    if parts.query or parts.fragment:
        raise ValueError(f"expected an http(s) URL without query or fragment, got {without_credentials(url)!r}")
    return Endpoint(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or (443 if parts.scheme == "https" else default_port),
        path=parts.path.rstrip("/"),
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else Secret(unquote(parts.password)),
    )


def without_credentials(url: str) -> str:
    """Cut everything up to the last `@` of a URL's authority, so that an error can quote the rest."""
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme.isalnum():
        return url.rpartition("@")[2]
    return scheme + separator + rest.rpartition("@")[2]

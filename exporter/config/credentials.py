"""Credentials of upstreams: keys and passwords from the file, from files and from the environment."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from exporter.config.check import Section, WrongValueError
from exporter.config.client_tls import ClientTls, read_client_tls
from exporter.config.file import Listing, Node, Scalar
from exporter.config.outside import Outside, secret_of
from exporter.endpoint import Endpoint, Secret

Given = Sequence[tuple[Node, Endpoint]]


def with_credentials(section: Section, urls: Given, outside: Outside) -> tuple[Endpoint, ...]:
    """Read the credentials of a section and give its endpoints with them; those of a URL stay its own."""
    key = _any_of(section, "key", outside)
    if key is not None and not re.fullmatch("[!-~]+", key.reveal()):
        section.complain(_keys(section, "key")[0], "expected printable ASCII without spaces, got other characters")
    username = section.get("username", _username, None)
    password = _any_of(section, "password", outside)
    tls = read_client_tls(section, outside)
    _check_together(section)
    for node, endpoint in urls:
        _check_url(section, node, endpoint)
    certificates = section.given("ca_file", "tls_config")
    if certificates and urls and not any(endpoint.scheme == "https" for _, endpoint in urls):
        section.complain(certificates[0], "expected an https URL beside it, got http")
    return tuple(
        msgspec.structs.replace(
            endpoint,
            username=username if endpoint.username is None else endpoint.username,
            password=password if endpoint.username is None else endpoint.password,
            key=key,
            **(tls if endpoint.scheme == "https" else ClientTls())._asdict(),
        )
        for _, endpoint in urls
    )


def _any_of(section: Section, name: str, outside: Outside) -> Secret | None:
    secret: Secret | None = None
    for key, check in ((name, _literal), (f"{name}_file", outside.file), (f"{name}_env", outside.variable)):
        secret = section.get(key, check, None) or secret
    given = _keys(section, name)
    if len(given) > 1:
        expected = f"only one of {name}, {name}_file and {name}_env"
        section.complain(given[-1], f"expected {expected}, got {' and '.join(given)}")
    return secret


def _keys(section: Section, name: str) -> list[str]:
    return section.given(name, f"{name}_file", f"{name}_env")


def _check_together(section: Section) -> None:
    keys, names, passwords = _keys(section, "key"), section.given("username"), _keys(section, "password")
    if keys and (names or passwords):
        section.complain((names or passwords)[0], f"expected a key or a username with a password, got also {keys[0]}")
    elif names and not passwords:
        section.complain("username", "expected password, password_file or password_env beside it, got none")
    elif passwords and not names:
        section.complain(passwords[0], "expected a username beside it, got none")


def _check_url(section: Section, node: Node, endpoint: Endpoint) -> None:
    if endpoint.username is None:
        return
    password = "" if endpoint.password is None else endpoint.password.reveal()
    if not endpoint.username or ":" in endpoint.username or not password:
        section.complain(node, "expected user:password@ before the host, got no user or no password")
    elif section.given("username") or _keys(section, "password"):
        section.complain(node, "expected a user and password in the URL or beside it, got both")
    elif _keys(section, "key"):
        section.complain(node, "expected a key or a user and password, got both")


def _literal(node: Node) -> Secret:
    return secret_of(_hidden(node))


def _username(node: Node) -> str:
    text = _hidden(node)
    if not text or ":" in text:
        raise WrongValueError("a user name without ':'", got="one with it" if text else "an empty text")
    return text


def _hidden(node: Node) -> str:
    if isinstance(node, Scalar) and node.kind == "string":
        return node.text
    article = "an" if isinstance(node, Scalar) and node.kind == "integer" else "a"
    kind = node.kind if isinstance(node, Scalar) else "list" if isinstance(node, Listing) else "mapping"
    raise WrongValueError("a string", got="null" if kind == "null" else f"{article} {kind}")

"""Keys, passwords and certificates: where they may stand, and that no message shows them."""

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import Config, ConfigError, parse
from exporter.endpoint import Endpoint, Secret

CANARY = "c4n4ry"
AT = "stores:\n- fleet: tr\n  url: {url}\n  "
PEM = """-----BEGIN CERTIFICATE-----
MIIBhzCCAS2gAwIBAgIUQt+wBXEVSfi2pQPNaucFviyWzNMwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNUm9sbGNhbGwgdGVzdDAgFw0yNjExMjIxMzMzMzVaGA8yMTI2
MTAyOTEzMzMzNVowGDEWMBQGA1UEAwwNUm9sbGNhbGwgdGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABO2gCkdkGkO7v2zjEYzYGHVL2TCgUSIjcr1n7c4AsdUd
G5hTk8doRMXMhCuvxH28Z0uHXy5ywuctqOsCcggM9LSjUzBRMB0GA1UdDgQWBBT7
QRG/eF2vJiUXgnqLwwK8/0FESjAfBgNVHSMEGDAWgBT7QRG/eF2vJiUXgnqLwwK8
/0FESjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCFPwp0G0xV
TlBGm4Shby5GzDjYZprFYmDxqsRUPibzWQIgJ2Q/6jel2Fa4+jVMqmOg5e9LlqwG
2Ruyg+VrZdu/cCg=
-----END CERTIFICATE-----
"""
FILES = {
    "/etc/rollcall/key": CANARY + "\n",
    "/etc/rollcall/two-newlines": CANARY + "\n\n",
    "/etc/rollcall/empty": "\n",
    "/etc/rollcall/ca.pem": f"# Größe\n{PEM}",
    "/etc/rollcall/broken.pem": PEM.replace("MIIB", "MIIC"),
    "/run/secrets/key": "absolute",
}
ENVIRON = {"STORE_KEY": CANARY, "EMPTY": "", "BYTES": "\udcff", CANARY + "2": "x"}


def read_file(path: Path) -> str:
    if path.name == "latin-1":
        return b"\xe9".decode()
    if str(path) not in FILES:
        raise FileNotFoundError(2, "No such file or directory", str(path))
    return FILES[str(path)]


def read(text: str, environ: Mapping[str, str] = ENVIRON, files: Callable[[Path], str] = read_file) -> Config:
    return parse(text, "/etc/rollcall/r.yaml", environ, files)


def store(given: str, url: str = "http://a") -> Endpoint:
    return read(AT.format(url=url) + given).stores[0].endpoint


@pytest.mark.parametrize(
    ("given", "key"),
    [
        pytest.param(f"key: {CANARY}", CANARY, id="literal"),
        pytest.param("key_file: key", CANARY, id="file-beside-the-configuration"),
        pytest.param("key_file: /run/secrets/key", "absolute", id="absolute-file"),
        pytest.param("key_env: STORE_KEY", CANARY, id="environment"),
    ],
)
def test_bearer_keys(given: str, key: str) -> None:
    endpoint = store(given)
    assert endpoint.key == Secret(key)
    assert (endpoint.username, endpoint.password) == (None, None)


@pytest.mark.parametrize(
    "given", ["password: 'p w'", "password_file: pw", "password_env: PW"], ids=["literal", "file", "environment"]
)
def test_basic_auth(given: str) -> None:
    config = read(AT.format(url="http://a") + f"username: bob\n  {given}", {"PW": "p w"}, lambda path: "p w\n")
    endpoint = config.stores[0].endpoint
    assert (endpoint.username, endpoint.password, endpoint.key) == ("bob", Secret("p w"), None)


def test_only_one_newline_is_not_part_of_a_secret() -> None:
    endpoint = store("username: bob\n  password_file: two-newlines")
    assert endpoint.password == Secret(CANARY + "\n")


def test_credentials_in_a_url() -> None:
    endpoint = store("", url="http://bob:p%40w@a")
    assert (endpoint.username, endpoint.password, endpoint.url) == ("bob", Secret("p@w"), "http://a:4747")


def test_every_console_of_a_mesh_gets_them_and_certificates_go_with_https() -> None:
    text = "meshes:\n- fleet: eu\n  urls: [http://a, https://b]\n  key_env: STORE_KEY\n  ca_file: ca.pem\n"
    plain, secure = read(text).meshes[0].endpoints
    assert plain.key == secure.key == Secret(CANARY)
    assert (plain.ca_file, secure.ca_file) == (None, "/etc/rollcall/ca.pem")


WRONG = {
    "key-number": ("key: 5", "key: expected a string, got an integer"),
    "key-list": (f"key: [{CANARY}]", "key: expected a string, got a list"),
    "key-mapping": (f"key: {{{CANARY}: 1}}", "key: expected a string, got a mapping"),
    "key-null": ("key:", "key: expected a string, got null"),
    "key-empty": ("key: ''", "key: expected a secret, got an empty text"),
    "key-space": (f"key: '{CANARY} x'", "key: expected printable ASCII without spaces, got other characters"),
    "key-newline": (
        "key_file: two-newlines",
        "key_file: expected printable ASCII without spaces, got other characters",
    ),
    "file-missing": (
        "key_file: nowhere",
        "key_file: expected a readable file, got '/etc/rollcall/nowhere': No such file or directory",
    ),
    "file-empty": ("key_file: empty", "key_file: expected a secret, got an empty text"),
    "file-latin-1": ("key_file: latin-1", "key_file: expected a file of UTF-8 text, got '/etc/rollcall/latin-1'"),
    "file-number": ("key_file: 7", "key_file: expected a string, got 7"),
    "file-path": ('key_file: "a\\0"', "key_file: expected a path, got 'a\\x00'"),
    "env-missing": ("key_env: NO_KEY", "key_env: expected the name of a variable of the environment, got 'NO_KEY'"),
    "env-secret": (
        f"key_env: {CANARY}",
        "key_env: expected the name of a variable of the environment, got another text",
    ),
    "env-empty": ("key_env: EMPTY", "key_env: expected a secret, got an empty text"),
    "env-bytes": ("key_env: BYTES", "key_env: expected a secret in UTF-8, got other bytes"),
    "two-of-one": (
        f"key: {CANARY}\n  key_env: STORE_KEY",
        "key_env: expected only one of key, key_file and key_env, got key and key_env",
    ),
    "user-alone": (
        "username: bob",
        "username: expected password, password_file or password_env beside it, got none",
    ),
    "password-alone": (f"password: {CANARY}", "password: expected a username beside it, got none"),
    "user-colon": (
        f"username: bob:{CANARY}\n  password: x",
        "username: expected a user name without ':', got one with it",
    ),
    "user-empty": ("username: ''\n  password: x", "username: expected a user name without ':', got an empty text"),
    "key-and-basic": (
        f"key: {CANARY}\n  username: bob\n  password: {CANARY}",
        "username: expected a key or a username with a password, got also key",
    ),
    "ca-http": ("ca_file: ca.pem", "ca_file: expected an https URL beside it, got http"),
}


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return list(caught.value.lines)


@pytest.mark.parametrize(("given", "message"), WRONG.values(), ids=WRONG)
def test_wrong_credentials(given: str, message: str) -> None:
    (line,) = problems(AT.format(url="http://a") + given)
    assert line.startswith(f"stores[0].{message} (/etc/rollcall/r.yaml:")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("nowhere.pem", "a readable file, got '/etc/rollcall/nowhere.pem': No such file or directory"),
        ("key", "a PEM file with certificates, got '/etc/rollcall/key'"),
        ("broken.pem", "a PEM file with certificates, got '/etc/rollcall/broken.pem'"),
    ],
)
def test_wrong_certificates(name: str, found: str) -> None:
    (line,) = problems(AT.format(url="https://a") + f"ca_file: {name}")
    assert line == f"stores[0].ca_file: expected {found} (/etc/rollcall/r.yaml:4)"


@pytest.mark.parametrize(
    ("url", "given", "message"),
    [
        pytest.param(
            f"http://u:{CANARY}@a",
            "username: u\n  password: x",
            "a user and password in the URL or beside it, got both",
            id="both",
        ),
        pytest.param(f"http://u:{CANARY}@a", "key: x", "a key or a user and password, got both", id="key"),
        pytest.param(
            f"http://{CANARY}@a", "", "user:password@ before the host, got no user or no password", id="user-only"
        ),
        pytest.param(
            f"http://:{CANARY}@a", "", "user:password@ before the host, got no user or no password", id="password-only"
        ),
        pytest.param(f"ftp://u:{CANARY}@a", "", "an http(s) URL, got 'ftp://a'", id="scheme"),
        pytest.param(f"u:{CANARY}@a:1", "", "an http(s) URL, got 'a:1'", id="no-scheme"),
        pytest.param(f"u:{CANARY}@a://x", "", "an http(s) URL, got 'a://x'", id="user-before-the-scheme"),
        pytest.param(
            f"http://a?k={CANARY}", "", "an http(s) URL without query or fragment, got 'http://a?..'", id="query"
        ),
        pytest.param(f"[http://u:{CANARY}@a]", "", "a string, got [..]", id="list"),
    ],
)
def test_wrong_urls(url: str, given: str, message: str) -> None:
    (line,) = problems(AT.format(url=url) + given)
    assert line == f"stores[0].url: expected {message} (/etc/rollcall/r.yaml:3)"


@pytest.mark.parametrize("mark", ["!", "*", "&", "%", "@", "!x!", "'", '"\\', "[", "{", "- ", "? ", "|", "a: b: "])
def test_a_password_that_is_no_yaml(mark: str) -> None:
    assert problems(AT.format(url="http://a") + f"password: {mark}{CANARY}\n")


# A secret on a line of its own, before a colon, is a key, and messages name keys.
WITHIN_A_LINE = st.text(
    st.characters(exclude_categories=["Cs", "Zl", "Zp"], exclude_characters="\n\r\x85"), max_size=12
)


@settings(deadline=None)
@given(st.sampled_from(["key", "password", "url", "pasword"]), WITHIN_A_LINE, WITHIN_A_LINE)
def test_no_message_shows_a_secret(key: str, before: str, after: str) -> None:
    secret = f"http://u:{CANARY}@h" if key == "url" else CANARY
    try:
        shown = repr(read(f"stores:\n- fleet: tr\n  {key}: {before}{secret}{after}\n"))
    except ConfigError as error:
        shown = "".join(traceback.format_exception(error))
    assert CANARY not in shown

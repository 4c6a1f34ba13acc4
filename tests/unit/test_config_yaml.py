"""Files that are no configuration at all, and durations: whatever the text, a Config or a ConfigError comes of it."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import Config, ConfigError, format_duration, load, parse, parse_duration


def no_file(path: Path) -> str:
    raise FileNotFoundError(2, "No such file or directory")


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "etc/r.yaml", {}, no_file)
    return str(caught.value)


UNREADABLE = {
    "not-a-mapping": ("\nhello", "expected a mapping, got 'hello' (etc/r.yaml:2)"),
    "a-list": ("- a", "expected a mapping, got [..] (etc/r.yaml:1)"),
    "a-number": ("5", "expected a mapping, got 5 (etc/r.yaml:1)"),
    "tab": ("web:\n\tx: y", "not valid YAML: found character '\\t' that cannot start any token (etc/r.yaml:2)"),
    "indentation": ("web:\n  a: b\n c: d", "not valid YAML: expected <block end>, but found '<block mapping start>'"),
    "colons": ("a: b: c", "not valid YAML: mapping values are not allowed here (etc/r.yaml:1)"),
    "no-colon": ("host: {}\nweb {}\ngpu: {}", "not valid YAML: could not find expected ':' (etc/r.yaml:3)"),
    "open-bracket": ("meshes: [\n\n", "not valid YAML: expected the node content, but found '<stream end>'"),
    "open-quote": ("a: 'x\n", "not valid YAML: found unexpected end of stream (etc/r.yaml:2)"),
    "alias": ("a: 1\nb: *a", "expected plain YAML, got an alias (quote a text that starts with *) (etc/r.yaml:2)"),
    "anchor": ("a: &b 1", "expected plain YAML, got an anchor (quote a text that starts with &) (etc/r.yaml:1)"),
    "tag": ("a: !!str 1", "expected plain YAML, got a tag (quote a text that starts with !) (etc/r.yaml:1)"),
    "python": (
        "!!python/object/apply:os.system [x]",
        "expected plain YAML, got a tag (quote a text that starts with !)",
    ),
    "directive": ("%YAML 1.1\n---\n", "expected plain YAML, got a directive (etc/r.yaml:1)"),
    "two-documents": ("web: {}\n---\ngpu: {}", "expected one document, got a second one (etc/r.yaml:2)"),
    "list-as-key": ("? [a]\n: b", "expected a string as key, got a list or a mapping (etc/r.yaml:1)"),
    "bell": ("web: {}\n# \a", "expected text, got the character U+0007 (etc/r.yaml:2)"),
    "surrogate": ("web: {}\n\ud800", "expected text, got the character U+D800 (etc/r.yaml:2)"),
    "escaped-surrogate": (
        'state_dir: "\\ud800"',
        "state_dir: expected Unicode text, got a lone surrogate (etc/r.yaml:1)",
    ),
    "escape-too-large": ('a: "\\U00110000"', "not valid YAML: found an escape beyond U+10FFFF (etc/r.yaml:1)"),
    "escape-far-too-large": ('a: "\\UFFFFFFFF"', "not valid YAML: found an escape beyond U+10FFFF (etc/r.yaml:1)"),
    "deep-lists": ("a: " + "[" * 100_000, "expected at most 16 levels, got more (etc/r.yaml:1)"),
    "deep-mappings": ("{a: " * 100_000, "expected at most 16 levels, got more (etc/r.yaml:1)"),
    "deep-dashes": ("- " * 100_000, "expected at most 16 levels, got more (etc/r.yaml:1)"),
    "long": ("#" * 1_048_577, "expected at most 1048576 characters, got 1048577 (etc/r.yaml:1)"),
}


@pytest.mark.parametrize(("text", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(text: str, message: str) -> None:
    assert problem(text).startswith(message)


def test_as_deep_as_allowed() -> None:
    assert problem("a: " + "[" * 14 + "x" + "]" * 14).startswith("a: unknown key")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda file: None, "{}: expected a readable file, got: No such file or directory", id="missing"),
        pytest.param(Path.mkdir, "{}: expected a readable file, got: Is a directory", id="directory"),
        pytest.param(
            lambda file: file.write_bytes(b"web: {}\n# caf\xe9\n"),
            "expected UTF-8, got the byte 0xE9 ({}:2)",
            id="latin-1",
        ),
        pytest.param(
            lambda file: file.write_text("web: {}", "utf-16"), "expected UTF-8, got the byte 0xFF ({}:1)", id="utf-16"
        ),
        pytest.param(
            lambda file: file.write_bytes(b"#" * 4_194_305),
            "{}: expected a readable file, got: File too large",
            id="large",
        ),
        pytest.param(lambda file: file.write_text("web: 1"), "web: expected a mapping, got 1 ({}:1)", id="wrong"),
    ],
)
def test_load_names_the_file(tmp_path: Path, make: object, message: str) -> None:
    file = tmp_path / "r.yaml"
    assert callable(make)
    make(file)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(caught.value) == message.format(file)


def judge(text: str) -> None:
    try:
        parsed: object = parse(text, "r.yaml", {}, no_file)
    except ConfigError as error:
        parsed = error.lines
    assert isinstance(parsed, Config) or (parsed and all(re.search(r"\(r\.yaml:\d+\)$", line) for line in parsed))


@settings(deadline=None)
@given(st.text())
def test_any_text(text: str) -> None:
    judge(text)


@settings(deadline=None)
@given(st.text(alphabet="ab01 \t\n\r:-?,[]{}#&*!|>'\"%@`\\~<=./_xuU\ufeff\x85\u2028é", max_size=60))
def test_any_yaml_like_text(text: str) -> None:
    judge(text)


WORDS = re.findall(
    r"\w+",
    """
web listen_address state_dir meshes stores fleet url urls interval timeout stale_after key key_file key_env username
password password_env ca_file tls_config cert_file server_name config_file
host gpu enabled procfs limits series families allow deny tombstone
""",
)
SCALARS = st.sampled_from(
    ["", "0", "5s", "-1", "no", "true", "http://a", "'http://u:p@[::1'", '"\\udc80"', "'('", "1e999", "[]"]
)


def flow(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(st.sampled_from(WORDS), children), max_size=5)
    return st.one_of(
        st.lists(children, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        pairs.map(lambda entries: f"{{{', '.join(f'{key}: {value}' for key, value in entries)}}}"),
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(WORDS), st.recursive(SCALARS, flow, max_leaves=12)), max_size=6))
def test_any_values_of_known_keys(entries: list[tuple[str, str]]) -> None:
    judge("\n".join(f"{key}: {value}" for key, value in entries))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("500ms", 0.5),
        ("5s", 5.0),
        ("1m30s", 90.0),
        ("90s", 90.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("1w", 604800.0),
        ("1y", 31536000.0),
        ("1y2w3d4h5m6s7ms", 33019506.007),
        ("292y", 9208512000.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "+5s", "1.5s", "5 s", "5S", "1s1m", "5s5s", "1M", "5us", "00", "٥s", "5s\n"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    assert str(caught.value) == f"expected a duration such as 500ms, 5s or 1m30s, got {text!r}"


@pytest.mark.parametrize("text", ["293y", "9223372036855ms", "9999999999999999999s"])
def test_durations_out_of_range(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    assert str(caught.value) == f"expected a duration of at most 292y, got {text!r}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0, "0s", id="zero"),
        pytest.param(90, "1m30s", id="minutes"),
        pytest.param(0.25, "250ms", id="milliseconds"),
        # As Prometheus 2.42 prints these on /api/v1/status/config.
        pytest.param(90000, "1d1h", id="25h"),
        pytest.param(400 * 86400, "400d", id="400d"),
        pytest.param(90061, "1d1h1m1s", id="90061s"),
        pytest.param(21 * 86400, "3w", id="21d"),
    ],
)
def test_duration_as_text(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_no_negative_duration_as_text() -> None:
    with pytest.raises(ValueError, match="expected a duration of 0 or more, got -1 seconds"):
        format_duration(-1)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=9_223_372_036_854))
def test_every_duration_there_and_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000

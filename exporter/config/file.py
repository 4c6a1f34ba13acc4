"""A configuration file as a tree: every value knows the path of its key and its line."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import yaml
from yaml.composer import ComposerError
from yaml.error import Mark, MarkedYAMLError
from yaml.reader import ReaderError

from exporter.endpoint import without_credentials

MOST_CHARACTERS = 1_048_576
MOST_LEVELS = 16
_DIGITS = 18

# YAML 1.2.2, section 10.3.2, less octal and hexadecimal numbers.
_KINDS = {
    "null": re.compile(r"null|Null|NULL|~|"),
    "boolean": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "integer": re.compile(r"[-+]?[0-9]+"),
    "float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.nan|\.NaN|\.NAN",
    ),
}


class ConfigError(Exception):
    """A configuration that cannot be used; `lines` says why, a line for each problem, in the order of the file."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Place(msgspec.Struct, frozen=True):
    """Where a value is: the path of its key, empty for the whole file, and line and column from 1."""

    path: str
    line: int
    column: int


class Scalar(msgspec.Struct, frozen=True):
    """One value as it is written; `kind` is `null`, `boolean`, `integer`, `float` or `string`."""

    place: Place
    text: str
    kind: str


class Listing(msgspec.Struct, frozen=True):
    """A list of values."""

    place: Place
    items: tuple[Node, ...]


class Mapping(msgspec.Struct, frozen=True):
    """A mapping of keys to values; the place of a value is that of its key."""

    place: Place
    entries: dict[str, Node]


Node = Scalar | Listing | Mapping

_TOP = Place("", 1, 1)


class Problems:
    """What is wrong with the file called `name`, collected."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[tuple[int, int, str]] = []

    def add(self, place: Place, text: str) -> None:
        """Note a problem: `text` says what was expected and what was found, the place is added to it."""
        path = f"{place.path}: " if place.path else ""
        self._found.append((place.line, place.column, f"{path}{text} ({self._name}:{place.line})"))

    def check(self) -> None:
        """Raise ConfigError with everything noted so far, if there is anything."""
        if self._found:
            raise ConfigError(*(line for _, _, line in sorted(self._found)))


def shown(text: str) -> str:
    """Give what a message may show of a text: no credentials or query of a URL, no bcrypt hash, 60 characters."""
    scheme = text.partition("://")[0]
    if "@" in text:
        text = without_credentials(text) if re.fullmatch("[a-zA-Z][a-zA-Z0-9+.-]*", scheme) else text.rpartition("@")[2]
    if "://" in text and (query := re.search("[?#]", text)):
        text = text[: query.end()] + ".."
    text = re.sub(r"\$2[abxy]?\$\S*", "$2..", text)
    return text if len(text) <= 60 else text[:60] + ".."


def quoted(node: Node) -> str:
    """Give what a message shows as found: a string in quotes, another scalar as written, the kind of brackets else."""
    if isinstance(node, Scalar):
        return repr(shown(node.text)) if node.kind == "string" else shown(node.text) or "null"
    if isinstance(node, Listing):
        return "[..]" if node.items else "[]"
    return "{..}" if node.entries else "{}"


def read_tree(text: str, name: str) -> tuple[Mapping, Problems]:
    """Read YAML into a tree, scalars as in YAML 1.2; an empty file is an empty mapping.

    Duplicate keys are among the problems given back. Raises ConfigError where there is no tree to look at: syntax,
    aliases, anchors, tags, directives, several documents, more than 1,048,576 characters or 16 levels.
    """
    root, problems = _tree(text, name)
    if isinstance(root, Mapping):
        return root, problems
    if not (isinstance(root, Scalar) and root.kind == "null"):
        problems.add(root.place, f"expected a mapping, got {quoted(root)}")
    return Mapping(_TOP, {}), problems


def read_list(text: str, name: str) -> list[object]:
    """Read YAML that is a list, into strings, numbers, booleans, None, lists and dictionaries.

    Raises ConfigError as `read_tree` does, and for duplicate keys and for anything that is no list.
    """
    root, problems = _tree(text, name)
    problems.check()
    if not isinstance(root, Listing):
        raise ConfigError(f"expected a list, got {quoted(root)} ({name}:{root.place.line})")
    return [_value(item) for item in root.items]


def _tree(text: str, name: str) -> tuple[Node, Problems]:
    problems = Problems(name)
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"expected at most {MOST_CHARACTERS} characters, got {len(text)} ({name}:1)")
    node = _compose(text, name)
    if node is None:
        return Scalar(_TOP, "", "null"), problems
    place = _TOP if isinstance(node, yaml.MappingNode) else _at("", node.start_mark)
    return _grow(node, place, problems), problems


def _value(node: Node) -> object:
    if isinstance(node, Listing):
        return [_value(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key: _value(value) for key, value in node.entries.items()}
    match node.kind:
        case "null":
            return None
        case "boolean":
            return node.text.lower() == "true"
        case "integer" if len(node.text) <= _DIGITS:
            return int(node.text)
        case "integer" | "float":
            return float(node.text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return node.text


class _RefusedError(MarkedYAMLError):
    """YAML that a configuration has no use for."""


class _Loader(yaml.SafeLoader):
    """PyYAML's parser without its YAML 1.1 scalars, and without what can make a small file a large tree."""

    yaml_implicit_resolvers = {}
    _level = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one value and what is below it, which recurses."""
        self._level += 1
        if self._level > MOST_LEVELS:
            raise _RefusedError(
                problem=f"expected at most {MOST_LEVELS} levels, got more", problem_mark=self.get_mark()
            )
        node = super().compose_node(parent, index)
        self._level -= 1
        return node

    def _refuse(self, what: str) -> None:
        raise _RefusedError(problem=f"expected plain YAML, got {what}", problem_mark=self.get_mark())

    def fetch_alias(self) -> None:
        """Refuse `*name`."""
        self._refuse("an alias (quote a text that starts with *)")

    def fetch_anchor(self) -> None:
        """Refuse `&name`."""
        self._refuse("an anchor (quote a text that starts with &)")

    def fetch_tag(self) -> None:
        """Refuse `!tag`."""
        self._refuse("a tag (quote a text that starts with !)")

    def fetch_directive(self) -> None:
        """Refuse `%YAML` and its like."""
        self._refuse("a directive")


def _compose(text: str, name: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"expected text, got the character U+{ord(text[error.position]):04X} ({name}:{line})"
        ) from None
    try:
        return loader.get_single_node()
    except _RefusedError as error:
        problem, mark = error.problem, error.problem_mark
    except ComposerError as error:
        problem, mark = "expected one document, got a second one", error.problem_mark
    except MarkedYAMLError as error:
        problem, mark = f"not valid YAML: {error.problem}", error.problem_mark
    except (ValueError, OverflowError):  # chr() of \U00110000 and above
        problem, mark = "not valid YAML: found an escape beyond U+10FFFF", loader.get_mark()
    finally:
        loader.dispose()
    line = mark.line + 1 if mark is not None else 1
    raise ConfigError(f"{problem} ({name}:{line})")


def _at(path: str, mark: Mark) -> Place:
    return Place(path, mark.line + 1, mark.column + 1)


def _grow(node: yaml.Node, place: Place, problems: Problems) -> Node:
    if isinstance(node, yaml.MappingNode):
        return Mapping(place, _entries(node, place.path, problems))
    if isinstance(node, yaml.SequenceNode):
        items = (
            _grow(item, _at(f"{place.path}[{at}]", item.start_mark), problems) for at, item in enumerate(node.value)
        )
        return Listing(place, tuple(items))
    text: str = node.value
    if re.search("[\ud800-\udfff]", text):
        problems.add(place, "expected Unicode text, got a lone surrogate")
    plain = isinstance(node, yaml.ScalarNode) and not node.style
    kinds = (kind for kind, pattern in _KINDS.items() if plain and pattern.fullmatch(text))
    return Scalar(place, text, next(kinds, "string"))


def _entries(node: yaml.MappingNode, path: str, problems: Problems) -> dict[str, Node]:
    entries: dict[str, Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.add(_at(path, key.start_mark), "expected a string as key, got a list or a mapping")
            continue
        name = shown(key.value)
        name = name if name.isprintable() and name else repr(name)
        place = _at(f"{path}.{name}" if path else name, key.start_mark)
        if key.value in entries:
            first = entries[key.value].place.line
            problems.add(place, f"duplicate key, first given on line {first}")
            continue
        entries[key.value] = _grow(value, place, problems)
    return entries

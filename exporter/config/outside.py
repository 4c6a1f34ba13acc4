"""What a configuration refers to: files, and variables of the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from exporter.config.check import WrongValueError, path, string
from exporter.config.file import Node, shown
from exporter.config.pem import has_certificates
from exporter.endpoint import Secret


class Outside(msgspec.Struct, frozen=True):
    """What a configuration may refer to: the environment, files, and the folder that relative paths start from."""

    environ: Mapping[str, str]
    read_file: Callable[[Path], str]
    folder: Path

    def __repr__(self) -> str:
        return f"Outside(folder={str(self.folder)!r})"

    def read(self, node: Node) -> tuple[Path, str]:
        """Take the path of a readable text file; gives the path and the text."""
        where = self.folder / path(node)
        try:
            return where, self.read_file(where)
        except OSError as error:
            raise WrongValueError("a readable file", got=repr(shown(str(where))), why=error.strerror or "") from None
        except UnicodeError:
            raise WrongValueError("a file of UTF-8 text", got=repr(shown(str(where)))) from None

    def file(self, node: Node) -> Secret:
        """Take the path of a file that holds a secret; one newline at its end is not part of it."""
        return secret_of(self.read(node)[1].removesuffix("\n"))

    def variable(self, node: Node) -> Secret:
        """Take the name of an environment variable that holds a secret; only a conventional name is shown."""
        name = string(node)
        if name not in self.environ:
            conventional = re.fullmatch("[A-Z][A-Z0-9_]{0,59}", name)
            raise WrongValueError(
                "the name of a variable of the environment", got=repr(name) if conventional else "another text"
            )
        return secret_of(self.environ[name])

    def bundle(self, node: Node) -> str:
        """Take the path of a PEM file with at least one certificate."""
        where, text = self.read(node)
        if not has_certificates(text):
            raise WrongValueError("a PEM file with certificates", got=repr(shown(str(where))))
        return str(where)


def secret_of(text: str) -> Secret:
    """Take a text as a secret; raises WrongValueError for one that is empty or no UTF-8."""
    if not text:
        raise WrongValueError("a secret", got="an empty text")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise WrongValueError("a secret in UTF-8", got="other bytes")
    return Secret(text)

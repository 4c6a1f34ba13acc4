"""A certificate authority for a test, and what it signs; made by openssl, whose keys take a few milliseconds."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LASTING = "3650"
"""Days that certificates are valid."""


class Authority:
    """Signs certificates in a folder; `pem` is its own."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self.pem = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        self._openssl(
            "req", "-x509", *_KEY, "-keyout", self._key, "-out", self.pem, "-days", LASTING, "-subj", f"/CN={name}"
        )

    def sign(self, name: str, *names: str) -> tuple[Path, Path]:
        """Make a key and a certificate of that name, with subject alternative names; gives certificate and key."""
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        extensions.write_text(f"subjectAltName={','.join(names or LOCAL)}\n")
        self._openssl("req", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        signing = ("-CA", self.pem, "-CAkey", self._key, "-CAcreateserial", "-days", LASTING, "-extfile", extensions)
        self._openssl("x509", "-req", "-in", request, *signing, "-out", certificate)
        return certificate, key

    def encrypted(self, key: Path) -> str:
        """A key of the folder with a password."""
        target = key.with_suffix(".encrypted")
        self._openssl("pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", target)
        return target.read_text()

    def weak(self) -> tuple[str, str]:
        """A certificate and key of a size that OpenSSL refuses to serve."""
        certificate, key = self._folder / "weak.pem", self._folder / "weak.key"
        making = ("-newkey", "rsa:1024", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=weak")
        self._openssl("req", "-x509", *making, "-days", LASTING)
        return certificate.read_text(), key.read_text()

    def _openssl(self, *arguments: str | Path) -> None:
        if shutil.which("openssl") is None:
            message = "openssl is not installed (Debian: apt install openssl)"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True, timeout=60)


LOCAL = ("DNS:localhost", "IP:127.0.0.1")

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

"""Certificates for tests, made by the ``openssl`` program: good, expired, for another host, of a foreign authority."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

HOSTS = "abcgmnpz"
"""Hosts of one letter under ``.test``: a wildcard of so few labels is not believed."""
NAMES = ",".join([*(f"DNS:{host}.test" for host in HOSTS), "DNS:localhost", "IP:127.0.0.1"])


class Certificates:
    """A certificate authority in a folder, and server contexts by fault.  Raises RuntimeError without ``openssl``."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            raise RuntimeError("there is no openssl program; install OpenSSL to run the tests with TLS")
        self._folder = folder
        self._authority("ca")
        self._authority("foreign")
        self.ca = folder / "ca.pem"
        self._contexts = {
            None: self._leaf("good", "ca", NAMES),
            "tls_unknown_ca": self._leaf("foreign-leaf", "foreign", NAMES),
            "tls_wrong_host": self._leaf("wrong", "ca", "DNS:elsewhere.invalid"),
            "tls_expired": self._leaf("expired", "ca", NAMES, expired=True),
        }

    def context(self, fault: str | None) -> ssl.SSLContext:
        """The context of a server with this fault of its certificate, or with a good one."""
        return self._contexts.get(fault) or self._contexts[None]

    def _openssl(self, *arguments: str) -> None:
        ran = subprocess.run(["openssl", *arguments], cwd=self._folder, capture_output=True, text=True, timeout=60)
        if ran.returncode:
            raise RuntimeError(f"openssl {arguments[0]} failed: {ran.stderr}")

    def _authority(self, name: str) -> None:
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    def _leaf(self, name: str, authority: str, names: str, *, expired: bool = False) -> ssl.SSLContext:
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=a.test",
            "-keyout", f"{name}.key", "-out", f"{name}.csr",
        )  # fmt: skip
        (self._folder / f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
        # No days at all: expired as soon as it is made, which every version of openssl can do.
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
            "-CAcreateserial", "-days", "0" if expired else "30", "-extfile", f"{name}.ext", "-out", f"{name}.pem",
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        return context

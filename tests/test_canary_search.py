"""The search for planted secrets: that it finds them in every form, since the tests that use it look for nothing."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from canaries import Canaries

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in JSON": json.dumps,
    "in JSON within JSON": lambda secret: json.dumps(json.dumps(secret)),
    "in a URL": lambda secret: quote(secret, safe=""),
    "in a form": quote_plus,
    "in hexadecimal": lambda secret: secret.encode().hex(),
    "gzipped": lambda secret: base64.b64encode(gzip.compress(f"some {secret} text".encode())).decode(),
    "deflated": lambda secret: base64.b64encode(zlib.compress(f"some {secret} text".encode())).decode(),
    **{
        f"in base64 behind {n} bytes": lambda secret, n=n: base64.b64encode(
            b"x" * n + secret.encode() + b"end"
        ).decode()  # type: ignore[misc]
        for n in range(5)
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("odd", ["canary{}", 'c"an\\a/r+y {}'])
def test_a_secret_is_found_in_every_form(form: str, odd: str) -> None:
    canaries = Canaries()
    secret = canaries.plant("here", odd)
    canaries.plant("nowhere")

    assert canaries.found_in(f"some: {FORMS[form](secret)}\n") == ["here"]
    assert canaries.found_in(f"some: {FORMS[form](secret)}\n".encode()) == ["here"]
    assert canaries.found_in(b"some: thing else") == []

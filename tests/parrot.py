"""A server on loopback that repeats all it is told in what it answers: the worst that a provider can do with a secret.

Also stands for a proxy.  Keeps what arrived; judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from loopback import Loopback, Told
from typing_extensions import Self


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def everything(self) -> str:
        """The request as one text, as a careless server puts it into an error."""
        heads = ", ".join(f"{name}={value}" for name, value in self.headers.items())
        return f"{self.method} {self.target} with {heads} and {self.body.decode('utf-8', 'replace')}"


@dataclass(frozen=True, slots=True)
class Saying:
    """What it answers: a status, the fields of the error object beside the message, headers, a body of its own.

    ``stream`` is text of events that stand before the error event, with a status of 200.
    """

    status: int = 500
    error: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    stream: str | None = None
    text: str = ""


def repeated(saying: Saying, heard: Heard) -> tuple[dict[str, str], bytes]:
    """The headers and the body of an answer."""
    told = heard.everything
    words = {
        "message": f"{saying.text} You sent {told}",
        "type": "invalid_request_error",
        "input": _parsed(heard.body),
        "headers": dict(heard.headers),
        **saying.error,
    }
    # The id of a request is a header that clients keep.
    key = heard.headers.get("authorization") or heard.headers.get("api-key") or heard.headers.get("x-api-key") or "none"
    headers = {"x-request-id": f"r {key}", "x-ratelimit-limit-requests": key, **saying.headers}
    if saying.body is not None:
        return {"content-type": "application/json", **headers}, saying.body
    if saying.stream is not None:
        error = json.dumps({"type": "error", "error": words})
        return {
            "content-type": "text/event-stream",
            **headers,
        }, f"{saying.stream}event: error\ndata: {error}\n\n".encode()
    return {"content-type": "application/json", **headers}, json.dumps({"error": words}).encode()


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


class Parrot:
    """The server.  ``saying`` may be changed between requests; ``heard`` is what arrived."""

    def __init__(self) -> None:
        self.saying = Saying()
        self.heard: list[Heard] = []
        self._server = Loopback(self._answer)
        self.url = self._server.url

    def _answer(self, asked: BaseHTTPRequestHandler, body: bytes) -> Told:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        heard = Heard(asked.command, asked.path, headers, body)
        self.heard.append(heard)
        told, content = repeated(self.saying, heard)
        return Told(self.saying.status, told.items(), content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

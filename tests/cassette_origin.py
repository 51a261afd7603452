"""A server on loopback that says what a test wants to have recorded; judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from loopback import Loopback, Told

JSON = ("content-type", "application/json")
SSE = ("content-type", "text/event-stream")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the origin says, however it is asked."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (JSON,)
    body: bytes = b"{}"


class Origin:
    """A server that answers every request in the order of ``answers``, the last one for ever."""

    def __init__(self) -> None:
        self.answers = [Answer()]
        self._server = Loopback(self._answer)
        self.url = self._server.url

    def _answer(self, asked: BaseHTTPRequestHandler, body: bytes) -> Told:
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return Told(answer.status, answer.headers, answer.body)

    def close(self) -> None:
        self._server.close()

"""Between vcrpy and the cassette file: what goes in is scrubbed, what comes out is as it was.  Patches nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpx2
from vcr.persisters.filesystem import CassetteNotFoundError  # type: ignore[import-untyped]

from chatsheet_llm.testing import scrub, tape
from chatsheet_llm.testing.known import Known
from chatsheet_llm.testing.misses import CassetteError
from chatsheet_llm.testing.steady import steadied

_inside: ContextVar[bool] = ContextVar("chatsheet_cassette_inside", default=False)


class Shelf:
    """vcrpy's persister and its two hooks, for one cassette."""

    def __init__(self, path: Path, hosts: Mapping[str, str], *, recording: bool) -> None:
        self._path = path
        self._hosts = hosts
        self._recording = recording
        self._known = Known()
        self._recorded: tuple[list[Any], list[Any]] = ([], [])
        self._only_inside = False
        self.unanswered: list[str] = []
        """What had no reply, in words: it cannot be recorded."""

    def name_of(self, request: httpx2.Request) -> str:
        """Return ``"METHOD url"``, with the URL as it stands in the cassette."""
        url = str(request.url)
        return f"{request.method} {scrub.clean_url(url, scrub.endpoint_of(url, request.headers, self._hosts))}"

    def loaded(self) -> None:
        """Hear that vcrpy is done with the file: from here on a request counts only inside of :meth:`exchange`."""
        self._only_inside = True

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Mark what is sent in this context as ours.

        vcrpy patches every HTTP library that it finds; the SDKs use one.  What a test's own fixtures send through
        another is neither recorded nor replayed.
        """
        token = _inside.set(True)
        try:
            yield
        finally:
            _inside.reset(token)

    def request(self, request: Any) -> Any:
        """Return vcrpy's request with what may be kept of it; None for one that is none of ours."""
        if self._only_inside and not _inside.get():
            return None
        endpoint = scrub.endpoint_of(request.uri, request.headers, self._hosts)
        body = request.body
        content = body if isinstance(body, bytes) else b"".join(body or ())
        self._known.learn_request(request.uri, dict(request.headers), endpoint, content)
        headers = scrub.request_headers(request.headers)
        request.body = scrub.request_body(content, request.headers.get("content-type") or "")
        request.uri = scrub.clean_url(request.uri, endpoint)
        request.headers = headers
        return request

    def response(self, response: Mapping[str, Any]) -> dict[str, Any]:
        """Return vcrpy's response with what may be kept of it, its body decompressed.  Raises CassetteError."""
        self._known.learn_response(response["headers"])
        lower = {name.lower(): values for name, values in response["headers"].items()}
        content = decoded(response["body"]["string"] or b"", lower.get("content-encoding", []))
        kind = ", ".join(lower.get("content-type", []))
        status = response["status"]["code"]
        return {
            "status": {"code": status, "message": ""},
            "headers": scrub.response_headers(response["headers"]),
            "body": {"string": scrub.response_body(content, kind, status)},
        }

    def load_cassette(self, path: object, serializer: object) -> tuple[list[Any], list[Any]]:
        """Give vcrpy what the file holds; nothing when it is to be recorded.  Raises CassetteError."""
        del path, serializer
        if self._recording:
            raise CassetteNotFoundError
        name = str(self._path)
        try:
            entries = tape.loaded(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CassetteError(f"there is no cassette {name!r}; record it with --record-mode=once") from None
        except (tape.TapeError, UnicodeDecodeError) as error:
            raise CassetteError(
                f"cassette {name!r} cannot be used: {error}; record it with --record-mode=rewrite"
            ) from None
        pairs = [tape.values_of(entry) for entry in entries]
        return [request for request, _ in pairs], [response for _, response in pairs]

    def save_cassette(self, path: object, cassette_dict: Mapping[str, Any], serializer: object) -> None:
        """Hear from vcrpy what it recorded; :meth:`save` writes it."""
        del path, serializer
        self._recorded = (cassette_dict["requests"], cassette_dict["responses"])

    def save(self) -> None:
        """Write the file.  Raises CassetteError where there is nothing whole and clean to write."""
        where = f"cassette {str(self._path)!r} is not written"
        if self.unanswered:
            raise CassetteError(
                f"{where}: {'; '.join(self.unanswered)}.  A cassette holds replies; use the sandbox for what breaks "
                "before one"
            )
        if not self._recorded[0]:
            raise CassetteError(f"{where}: nothing was sent; take the cassette off the test")
        entries = [tape.entry_of(asked, answered) for asked, answered in zip(*self._recorded, strict=True)]
        try:
            text = tape.dumped([self._known.without(entry) for entry in steadied(entries)])
        except tape.TapeError as error:
            raise CassetteError(f"{where}: {error}") from None
        if self._known.found_in(text):
            raise CassetteError(
                f"{where}: a credential or an address of the recording is still in it; take it out of the request"
            )
        tape.write(self._path, text)


def decoded(content: bytes, encodings: list[str]) -> bytes:
    """Return the content without its compression.  Raises CassetteError for one that httpx2 cannot undo here."""
    names = [part.strip().lower() for value in encodings for part in value.split(",")]
    names = [name for name in names if name and name != "identity"]
    if not names or not content:
        return content
    unknown = set(names) - _decoders()
    if unknown:
        raise CassetteError(
            f"a reply came compressed as {', '.join(sorted(unknown))}, which cannot be undone here; "
            "install httpx2[brotli,zstd]"
        )
    return httpx2.Response(200, headers={"content-encoding": ", ".join(names)}, content=content).content


def _decoders() -> set[str]:
    """Return the compressions that httpx2 asks servers for, because it can undo them."""
    offered = httpx2.Client(trust_env=False).headers["accept-encoding"]
    return {part.strip() for part in offered.split(",")}

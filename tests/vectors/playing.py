"""Play a case on a client, synchronous or not.  Judges nothing, and does not care what the client speaks to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from vectors.schema import Given
from vectors.stage import Stage, method_of, request_of

from chatsheet_llm import AsyncChatClient, ChatClient
from chatsheet_llm.endpoints import base


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within this context clients look for neither certificates nor the endpoints of third parties.

    Both take longer than a call.
    """
    bare = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    with (
        patch.dict(os.environ, {**bare, "SSL_CERT_DIR": os.path.devnull}, clear=True),
        patch.object(base, "entry_points", lambda group: ()),
    ):
        yield


def play(stage: Stage, client: ChatClient) -> tuple[BaseException | None, object]:
    """Make the calls of the case; return the error and the answer of the last."""
    given = stage.given
    path, arguments = request_of(given)
    error: BaseException | None = None
    answer: object = None
    with stage.set(client):
        if _begins_well(given):
            stage.warm = True
            method_of(client, path)(**arguments)
            stage.warm = False
            stage.spend()
        for _ in range(given.calls):
            stage.begin()
            error, answer = None, None
            try:
                answer = method_of(client, path)(**arguments)
                if given.stream:
                    answer = list(answer)  # type: ignore[call-overload]
            except Exception as raised:
                error = raised
    return error, answer


async def aplay(stage: Stage, client: AsyncChatClient) -> tuple[BaseException | None, object]:
    """The same for a client that is awaited."""
    given = stage.given
    path, arguments = request_of(given)
    error: BaseException | None = None
    answer: object = None
    with stage.set(client):
        if _begins_well(given):
            stage.warm = True
            await method_of(client, path)(**arguments)  # type: ignore[misc]
            stage.warm = False
            stage.spend()
        for _ in range(given.calls):
            stage.begin()
            error, answer = None, None
            try:
                answer = await method_of(client, path)(**arguments)  # type: ignore[misc]
                if given.stream:
                    answer = [piece async for piece in answer]  # type: ignore[attr-defined]
            except Exception as raised:
                error = raised
    return error, answer


def _begins_well(given: Given) -> bool:
    return given.kept or bool(given.budget.tokens)

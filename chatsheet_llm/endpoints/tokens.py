"""Ask a token provider, within the time of the attempt.  Keeps no token: providers have their own cache.

A provider of azure-identity (``get_bearer_token_provider``) is a function without an argument.  It has no handle to
force a new token, and tells no time at which the one it gave ends.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import TimeoutError as Overdue

from chatsheet_llm.aside import begin
from chatsheet_llm.endpoints.headers import unfit
from chatsheet_llm.limits import left

Provider = Callable[[], "str | Awaitable[str]"]
"""Returns a token; a coroutine function for an asynchronous client alone."""

_PASSING = re.compile(r"\b(429|5\d\d)\b|timed? ?out|temporar|connection (?:reset|aborted|refused)", re.IGNORECASE)
_PASSING_CLASSES = (ConnectionError, TimeoutError, asyncio.TimeoutError)
_PASSING_NAMES = frozenset({"ServiceRequestError", "ServiceResponseError", "IncompleteReadError"})
"""Of azure-core, which is not imported here: the service could not be reached, or its answer was cut."""

_Outcome = tuple[object, Exception | None]


class NoToken(Exception):
    """A provider raised, gave nothing, or did not answer in time."""


class TokenSource:
    """Asks one provider: in a thread that may be left alone, once more after a passing trouble."""

    def __init__(self, endpoint: str, provider: Provider) -> None:
        self._endpoint, self._provider = endpoint, provider
        self.last = ""
        """The token that was given last, to be taken out of what a server says."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._endpoint!r})"

    def get(self) -> str:
        """Return a token.  Raises NoToken."""
        for again in (True, False):
            given, error = self._asked()
            if error is None or not (again and passing(error)):
                break
        if inspect.iscoroutine(given):
            given.close()
            raise NoToken(f"the token provider of endpoint {self._endpoint!r} is asynchronous; use AsyncChatClient")
        return self._token(given, error)

    async def aget(self) -> str:
        """Return a token without blocking the event loop.  Raises NoToken."""
        for again in (True, False):
            given, error = await self._aasked()
            if error is None or not (again and passing(error)):
                break
        return self._token(given, error)

    def _call(self) -> _Outcome:
        try:
            return self._provider(), None
        except Exception as error:  # noqa: BLE001  whatever it is, somebody waits for it
            return None, error

    def _asked(self) -> _Outcome:
        try:
            return begin(("token", id(self)), self._call).result(left(None, NoToken))
        except Overdue:
            raise self._late() from None

    async def _aasked(self) -> _Outcome:
        try:
            if inspect.iscoroutinefunction(self._provider):
                return await asyncio.wait_for(self._awaited(self._provider()), left(None, NoToken))
            asked = asyncio.wrap_future(begin(("token", id(self)), self._call))
            given, error = await asyncio.wait_for(asked, left(None, NoToken))
            if inspect.isawaitable(given):
                return await asyncio.wait_for(self._awaited(given), left(None, NoToken))
        except asyncio.TimeoutError:
            raise self._late() from None
        return given, error

    async def _awaited(self, given: object) -> _Outcome:
        try:
            return await given if inspect.isawaitable(given) else given, None
        except Exception as error:  # noqa: BLE001  as above
            return None, error

    def _late(self) -> NoToken:
        return NoToken(f"the token provider of endpoint {self._endpoint!r} did not answer in time")

    def _token(self, given: object, error: Exception | None) -> str:
        if error is not None:
            said = str(error).strip().partition("\n")[0][:150]
            raise NoToken(
                f"the token provider of endpoint {self._endpoint!r} failed: {type(error).__name__}: {said}"
            ) from None
        if not isinstance(given, str) or not given.strip():
            # Not what it gave: it may be a part of a token.
            raise NoToken(f"the token provider of endpoint {self._endpoint!r} gave no token; it must return text")
        what = unfit(given)
        if what is not None:
            raise NoToken(f"the token provider of endpoint {self._endpoint!r} gave a token that holds {what}")
        self.last = given
        return given


def passing(error: BaseException) -> bool:
    """Whether a provider's trouble may be over when it is asked again: its service was busy, or not reached."""
    return any(
        isinstance(link, _PASSING_CLASSES)
        or _busy(getattr(link, "status_code", None))
        or type(link).__name__ in _PASSING_NAMES
        or _PASSING.search(str(link)) is not None
        for link in _links(error)
    )


def _busy(status: object) -> bool:
    return isinstance(status, int) and (status == 429 or status >= 500)


def _links(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__

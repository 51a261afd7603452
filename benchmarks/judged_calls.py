"""One call to a chain of the sandbox: what is asked, what came, and what is wrong with that.  Sets no fault.

The sandbox says in every answer which hop gave it and what it was asked, so that an answer of somebody else, of two
hops, or a part of one that is given out for the whole, shows.
"""

from __future__ import annotations

import json
import pickle
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from chatsheet_llm import AsyncChatClient, ChatClient, errors, route_of
from chatsheet_llm.route import Route

MODEL = "gpt-5"
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_BEFORE_A_CUT = "Some text that came first."
_FINAL = (errors.InvalidRequestError, errors.ContentFilteredError, errors.GatewayPolicyError)
"""What is reported at once, whoever else could answer."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked.  ``leave`` is after how many pieces of a stream the caller loses interest, if ever."""

    number: int
    api: Literal["chat", "responses"] = "chat"
    stream: bool = False
    tool: bool = False
    leave: int | None = None

    @property
    def prompt(self) -> str:
        """What the model is told, unlike what any other call tells it."""
        return f"secret{self.number:07d}please {'call get_weather' if self.tool else 'say it back'}"

    def body(self) -> dict[str, Any]:
        """Return the arguments of the SDK's method."""
        if self.api == "chat":
            asked: dict[str, Any] = {"messages": [{"role": "user", "content": self.prompt}]}
            tool: dict[str, Any] = {"type": "function", "function": {"name": "get_weather", "parameters": TOOL}}
        else:
            asked = {"input": self.prompt}
            tool = {"type": "function", "name": "get_weather", "parameters": TOOL, "strict": False}
        return {"model": MODEL, **asked, "stream": self.stream, **({"tools": [tool]} if self.tool else {})}

    def answer(self, hop: str) -> str:
        """Return what that hop says to it."""
        return "" if self.tool else f"You said: {self.prompt}\nAnswered by {hop} as {MODEL}."


@dataclass(slots=True)
class Came:
    """What came of it.

    ``ended`` is how an answer says that it is whole, ``text`` and ``calls`` (id to name and arguments) what it holds.
    ``began`` and ``seconds`` are the time (monotonic) and how long it took to an answer, a first content or an error.
    """

    began: float
    seconds: float = 0.0
    text: str = ""
    ended: str | None = None
    calls: dict[str, list[str]] = field(default_factory=dict)
    route: Route = field(default_factory=Route)
    error: Exception | None = None
    left: bool = False

    @property
    def over(self) -> float:
        """When it was over (monotonic): later than the time to its first content where it streamed."""
        return self.began + max(self.seconds, self.route.seconds)

    @property
    def must_fail(self) -> bool:
        """Whether the error is one that no other hop may be asked after."""
        doubtful = sum(attempt.send_state == "ambiguous" for attempt in self.route.attempts)
        return isinstance(self.error, (*_FINAL, errors.StreamInterrupted)) or doubtful > 1 or self.route.sends >= 4


def asked_at_random(number: int, choose: random.Random) -> Ask:
    """Return a call of any kind."""
    stream = choose.random() < 0.5
    leave = choose.randrange(3) if stream and choose.random() < 0.1 else None
    return Ask(number, choose.choice(("chat", "responses")), stream, choose.random() < 0.2, leave)


def call(client: ChatClient, ask: Ask) -> Came:
    """Make the call, and take all that comes."""
    came = Came(time.monotonic())
    method: Any = client.chat.completions if ask.api == "chat" else client.responses
    try:
        value = method.create(**ask.body())
        _begun(came, value)
        if not ask.stream:
            _whole(came, value)
            return came
        for at, item in enumerate(value):
            if at == ask.leave:
                came.left = True
                break
            _piece(came, item)
    except Exception as error:  # noqa: BLE001  judged, whatever it is
        _failed(came, error)
    return came


async def acall(client: AsyncChatClient, ask: Ask) -> Came:
    """Make the call on an event loop."""
    came = Came(time.monotonic())
    method: Any = client.chat.completions if ask.api == "chat" else client.responses
    try:
        value = await method.create(**ask.body())
        _begun(came, value)
        if not ask.stream:
            _whole(came, value)
            return came
        at = 0
        async for item in value:
            if at == ask.leave:
                came.left = True
                break
            at += 1
            _piece(came, item)
    except Exception as error:  # noqa: BLE001  judged, whatever it is
        _failed(came, error)
    return came


def _begun(came: Came, value: Any) -> None:
    came.seconds, came.route = time.monotonic() - came.began, route_of(value)


def _failed(came: Came, error: Exception) -> None:
    came.seconds = came.seconds or time.monotonic() - came.began
    came.error = error.with_traceback(None)
    came.route = error.route if isinstance(error, errors.CallError) else came.route


def _whole(came: Came, value: Any) -> None:
    if hasattr(value, "choices"):
        choice = value.choices[0]
        came.text, came.ended = choice.message.content or "", choice.finish_reason
        for made in choice.message.tool_calls or ():
            came.calls[made.id] = [made.function.name, made.function.arguments]
        return
    came.text, came.ended = value.output_text, _ended(value)
    for item in value.output:
        if item.type == "function_call":
            came.calls[item.call_id] = [item.name, item.arguments]


def _ended(response: Any) -> str | None:
    if response.status == "incomplete":
        return str(response.incomplete_details.reason)
    return "stop" if response.status == "completed" else None


def _piece(came: Came, item: Any) -> None:
    if hasattr(item, "choices"):
        for choice in item.choices:
            came.ended = choice.finish_reason or came.ended
            if choice.delta is not None:
                came.text += choice.delta.content or ""
                for made in choice.delta.tool_calls or ():
                    if made.id:
                        came.calls.setdefault(made.id, [made.function.name, ""])
                    list(came.calls.values())[-1][1] += made.function.arguments or ""
        return
    if item.type == "response.output_text.delta":
        came.text += item.delta
    elif item.type == "response.output_item.done" and item.item.type == "function_call":
        came.calls.setdefault(item.item.call_id, [item.item.name, ""])[1] += item.item.arguments
    elif item.type in ("response.completed", "response.incomplete"):
        came.ended = _ended(item.response)


def wrong(ask: Ask, came: Came) -> Iterator[str]:
    """Yield what is wrong with what came, each with the number of the invariant that it breaks."""
    attempts = came.route.attempts
    given = ask.answer(attempts[-1].hop) if attempts else ""
    if came.error is not None:
        yield from _wrong_error(ask, came, given)
    elif came.left or came.ended == "content_filter":
        # What the filter cuts short of a tool call is text.
        if not (given or _BEFORE_A_CUT).startswith(came.text):
            yield f"I2: {came.text!r} is no beginning of {given!r}"
    else:
        if came.ended is None:
            yield f"I10: an answer with no end: {came.text!r}"
        if came.text != given:
            yield f"I2: {came.text!r} is not {given!r}"
        yield from _wrong_calls(ask, came)
    if any(attempt.maybe_billed is (attempt.send_state not in ("ambiguous", "committed")) for attempt in attempts):
        yield f"I12: {came.route} does not account for what may be billed"


def _wrong_error(ask: Ask, came: Came, given: str) -> Iterator[str]:
    error = came.error
    if not isinstance(error, errors.CallError):
        yield f"I1: raised {error!r}"
        return
    partial = error.partial if isinstance(error, errors.StreamInterrupted) else ""
    if not given.startswith(came.text):
        yield f"I2: {came.text!r} is no beginning of {given!r}"
    if partial != came.text:
        yield f"I2: the error holds {partial!r}, and {came.text!r} was delivered"
    if came.ended is not None:
        yield f"I1: an answer that ended with {came.ended!r} raised {error!r}"
    kept = pickle.dumps((error, came.route)).decode("latin-1") if not partial else ""
    if any(ask.prompt in told for told in (str(error), repr(error), str(came.route), repr(came.route), kept)):
        yield f"I8: {type(error).__name__} holds the prompt"


def _wrong_calls(ask: Ask, came: Came) -> Iterator[str]:
    if len(came.calls) != (1 if ask.tool else 0):
        yield f"I14: {len(came.calls)} calls of a tool were delivered: {came.calls}"
    for name, arguments in came.calls.values():
        try:
            read = json.loads(arguments)
        except ValueError:
            read = None
        city = read.get("city") if isinstance(read, dict) and set(read) == {"city"} else None
        if name != "get_weather" or not isinstance(city, str) or ask.prompt.split()[0] not in city:
            yield f"I14: the call of {name} has {arguments!r}"

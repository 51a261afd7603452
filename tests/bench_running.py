"""Run one scenario of the bench over real sockets, see it from both sides, and judge what was seen.  Holds no rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from bench_scenarios import Scenario, Verdict
from client_cases import text_of
from spoiling import Spoiler, ends_with_assistant

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, errors, route_of
from chatsheet_llm.route import Route
from chatsheet_llm.sandbox import Received, RoleName, Sandbox

Kind = Literal["sync", "async"]

PROMPT = "Explain to a colleague " + "in plain and rather many words " * 6 + "why a gateway is trusted."
DEADLINE = 8.0
"""Seconds for a call that meets no silence."""
NAMES = {"backup-gpt": "gpt-5"}
"""Azure's deployment, and the model behind it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A hop as the client names it and as the sandbox does; the model asked for there, and as the answer names it."""

    hop: str
    label: str
    model: str
    named: str

    @property
    def role(self) -> RoleName:
        return self.label.partition("/")[0]  # type: ignore[return-value]

    @property
    def answer(self) -> str:
        """The canonical answer, which tells who gave it."""
        return f"You said: {PROMPT}\nAnswered by {self.label} as {self.model}."


OPENAI_CHAT = Place("openai/chat", "openai/chat", "gpt-5", "gpt-5")
AZURE_CHAT = Place("azure/chat", "azure/chat", "backup-gpt", "gpt-5-2025-08-07")
OPENAI_RESPONSES = Place("openai/responses", "openai/responses", "gpt-5", "gpt-5")
AZURE_RESPONSES = Place("azure/responses", "azure/responses", "backup-gpt", "backup-gpt")
CLAUDE = Place("anthropic/messages", "anthropic/messages", "gpt-5", "gpt-5")
FOUNDRY = Place("anthropic_foundry/messages", "azure/messages", "backup-claude", "backup-claude")


@dataclass(frozen=True, slots=True)
class Way:
    """The format that the caller speaks, and the two hops."""

    name: str
    caller: Literal["chat", "responses"]
    primary: Place
    backup: Place


WAYS = (
    Way("Chat", "chat", OPENAI_CHAT, AZURE_CHAT),
    Way("Responses", "responses", OPENAI_RESPONSES, AZURE_RESPONSES),
    Way("Messages", "chat", CLAUDE, FOUNDRY),
    Way("Responses > Messages, Chat caller", "chat", OPENAI_RESPONSES, FOUNDRY),
    Way("Messages > Chat, Responses caller", "responses", CLAUDE, AZURE_CHAT),
)
"""The three formats, then two crossings of them."""


@dataclass(slots=True)
class Seen:
    """What came of one call: the caller's side, and the providers'.

    ``text`` is what the caller was given, whole or not; the ``asked`` are the requests in the order in which they came.
    """

    text: str
    seconds: float
    route: Route
    error: errors.CallError | None
    named: str | None
    usage: bool
    asked: list[Received]
    refused: int
    alive: bool


@contextmanager
def staged(box: Sandbox, row: Scenario, way: Way) -> Iterator[tuple[Settings, Spoiler | None]]:
    """The settings of a client in front of this scenario; the backup's spoiler, where it has one."""
    urls = {place: box.url(place.role) for place in (way.primary, way.backup)}
    with Spoiler(urls[way.primary], row.spoil) as before, Spoiler(urls[way.backup], no_prefill=True) as behind:
        if row.spoil is not None:
            urls[way.primary] = before.url
        if row.no_prefill:
            urls[way.backup] = behind.url
        if row.fault is not None:
            box.inject(way.primary.label, row.fault)
        yield settings(box, way, urls, row.backup_needs, row.settings), behind if row.no_prefill else None


def settings(
    box: Sandbox,
    way: Way,
    urls: Mapping[Place, str],
    backup: Mapping[str, object] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings that know both hops and nothing of the machine's; ``backup`` are further fields of that endpoint."""
    endpoints = {}
    for place in (way.primary, way.backup):
        path = {"openai": "/v1", "azure/messages": "/anthropic"}
        tail = path.get(place.role, path.get(place.label, ""))
        told = {"base_url": urls[place] + tail, "api_key": box.api_key, "deployment": place.model}
        endpoints[place.hop.partition("/")[0]] = {**told, **((backup or {}) if place is way.backup else {})}
    return Settings(_env_file=None, **{"endpoints": endpoints, "deadline": DEADLINE, **(more or {})})


def asked_with(way: Way, stream: bool) -> dict[str, object]:
    """The arguments of the call."""
    if way.caller == "responses":
        return {"model": "gpt-5", "input": PROMPT, "stream": stream}
    usage = {"stream_options": {"include_usage": True}} if stream else {}
    return {"model": "gpt-5", "messages": [{"role": "user", "content": PROMPT}], "stream": stream, **usage}


def method(client: Any, way: Way) -> Any:
    """The method that is called."""
    return client.responses.create if way.caller == "responses" else client.chat.completions.create


@dataclass(slots=True)
class Got:
    """What a caller has of one call."""

    items: list[Any]
    route: Route
    error: errors.CallError | None = None

    def said(self, stream: bool) -> str:
        return text_of(self.items if stream else self.items[0]) if self.items else ""


def call(client: ChatClient, way: Way, stream: bool) -> Got:
    """Make the call, and read the answer to its end."""
    items: list[Any] = []
    try:
        value = method(client, way)(**asked_with(way, stream))
        if not stream:
            return Got([value], route_of(value))
        for item in value:
            items.append(item)
        return Got(items, route_of(value))
    except errors.CallError as error:
        return Got(items, error.route, error)


async def acall(client: AsyncChatClient, way: Way, stream: bool) -> Got:
    """As `call`, asynchronously."""
    items: list[Any] = []
    try:
        value = await method(client, way)(**asked_with(way, stream))
        if not stream:
            return Got([value], route_of(value))
        async for item in value:
            items.append(item)
        return Got(items, route_of(value))
    except errors.CallError as error:
        return Got(items, error.route, error)


def run(box: Sandbox, row: Scenario, way: Way, kind: Kind, stream: bool, needs: Mapping[str, Any]) -> Seen:
    """Run one scenario, then make a second call that nothing stands in the way of."""
    box.clear()
    box.forget()
    chain = [way.primary.hop] if row.alone else [way.primary.hop, way.backup.hop]
    with staged(box, row, way) as (told, behind):
        if kind == "sync":
            with ChatClient(told, chain=chain, **needs) as client:
                began = time.monotonic()
                got = call(client, way, stream)
                seen = seen_of(got, stream, time.monotonic() - began, box, behind)
                box.clear()
                seen.alive = alive(call(client, way, stream=False), way)
            return seen

        async def arun() -> Seen:
            async with AsyncChatClient(told, chain=chain, **needs) as client:
                began = time.monotonic()
                got = await acall(client, way, stream)
                seen = seen_of(got, stream, time.monotonic() - began, box, behind)
                box.clear()
                seen.alive = alive(await acall(client, way, stream=False), way)
            return seen

        return asyncio.run(arun())


def seen_of(got: Got, stream: bool, seconds: float, box: Sandbox, behind: Spoiler | None) -> Seen:
    """Put what the caller has beside what the providers saw."""
    named, usage = None, False
    for item in got.items:
        told = getattr(item, "response", item)
        named = getattr(told, "model", None) or named
        usage = usage or getattr(told, "usage", None) is not None
    return Seen(
        text=got.said(stream),
        seconds=seconds,
        route=got.route,
        error=got.error,
        named=named,
        usage=usage,
        asked=box.requests,
        refused=behind.refused if behind is not None else 0,
        alive=False,
    )


def alive(got: Got, way: Way) -> bool:
    """Whether a call was answered in full, by either."""
    return got.error is None and got.said(stream=False) in (way.primary.answer, way.backup.answer)


def verdict(row: Scenario, way: Way, seen: Seen, *, plain: bool = False) -> tuple[Verdict, list[str]]:
    """Return the verdict on a scenario, with what is wrong; ``plain``: the client was not given what the row needs."""
    wrong = [*conduct(row, way, seen, plain=plain), *accounting(row, way, seen)]
    whole = seen.error is None and seen.text in (way.primary.answer, way.backup.answer)
    if seen.error is None and not whole:
        return "fail", [f"a wrong answer as a success: {seen.text!r}", *wrong]
    if wrong:
        return "fail", wrong
    if row.by is None:
        return ("pass", []) if seen.error is not None else ("partial", ["answered by routing around the refusal"])
    return ("pass", []) if whole else ("safe", [f"no answer, but a clean {type(seen.error).__name__}"])


def conduct(row: Scenario, way: Way, seen: Seen, *, plain: bool) -> Iterator[str]:
    """What is wrong with who was asked, how often and how fast, and with what the caller was told."""
    expected = row.plain if plain else row.error
    by = None if plain or row.by is None else (way.primary if row.by == "primary" else way.backup)
    times = {place: [r.at for r in seen.asked if r.hop == place.label] for place in (way.primary, way.backup)}
    sent = [(way.primary, row.primary), (way.backup, (0, 0) if plain else row.backup)]
    for place, (least, most) in sent:
        if not least <= len(times[place]) <= most:
            yield f"{len(times[place])} sends to {place.hop}, not {least} to {most}"
    first = times[way.primary]
    if row.gap and (len(first) < 2 or first[1] - first[0] < row.gap):
        yield f"asked again before {row.gap} s were over"
    if seen.seconds > row.within:
        yield f"took {seen.seconds:.2f} s, over {row.within} s"
    if by is not None and seen.error is None and seen.text != by.answer:
        yield f"not answered by {by.hop}, or not by it alone"
    if not any(place.answer.startswith(seen.text) for place in (way.primary, way.backup)):
        yield f"the text is not that of one hop: {seen.text!r}"
    if type(seen.error) is not type(None) and (expected is None or not isinstance(seen.error, expected)):
        yield f"ended in {type(seen.error).__name__}, not {expected.__name__ if expected else 'an answer'}"
    if isinstance(seen.error, errors.StreamInterrupted) and seen.error.partial != seen.text:
        yield "the error has another text than was delivered"
    if seen.refused or any(ends_with_assistant(request.json or {}) for request in seen.asked):
        yield "words were put into the model's mouth"
    if not seen.alive:
        yield "the call after it was not answered"


def accounting(row: Scenario, way: Way, seen: Seen) -> Iterator[str]:
    """What is wrong with what the caller is told of the sends and their cost."""
    labels = {place.hop: place.label for place in (way.primary, way.backup)}
    attempts = seen.route.attempts
    if [labels.get(attempt.hop) for attempt in attempts] != [request.hop for request in seen.asked]:
        yield f"the route {seen.route} is not what arrived: {[request.hop for request in seen.asked]}"
    for attempt in attempts:
        if not attempt.ok and attempt.maybe_billed is not row.billed:
            yield f"{attempt} says {'maybe' if attempt.maybe_billed else 'not'} billed"
    if seen.error is not None:
        return
    if not attempts or not attempts[-1].ok:
        yield "the last attempt is not the answer"
    if not seen.usage:
        yield "the answer has no usage"
    answered = next((place for place in (way.primary, way.backup) if seen.text == place.answer), None)
    if answered is not None and seen.named != answered.named:
        yield f"the answer names the model {seen.named!r}, not {answered.named!r}"

"""Send recorded calls through the bare SDK and through our clients behind one hop, and keep what each gave."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from openai import BaseModel
from replay import Recording, ReplayServer

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, route_of
from chatsheet_llm.route import Mode

ENDPOINTS: Mapping[str, str] = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "azure-chat": "azure",
    "azure-responses": "azure",
    "litellm": "litellm",
}
"""The kind of a recording -> the one endpoint of the chain that it is served behind."""
KEY = "recorded"


@dataclass(slots=True)
class Outcome:
    """What one call gave: the reply or the chunks, dumped, up to the end or the error; and the tries behind it."""

    given: list[dict[str, Any]] = field(default_factory=list)
    error: openai.APIError | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """One recording through the bare SDK and through our clients, from the same server; and the bodies they sent.

    ``ours`` is one outcome for each of our clients that was asked: the synchronous one always, the other for a sample.
    """

    record: Recording
    bare: Outcome
    ours: Sequence[Outcome]
    bodies: Sequence[Mapping[str, object]]


def api(record: Recording) -> Mode:
    return "responses" if "responses" in record.kind else "chat"


def recorded_call(record: Recording, **block: object) -> dict[str, Any]:
    """The recorded request as arguments of `create()`, with our block where there is one."""
    body = {key: value for key, value in (record.request or {}).items() if key != "stream"}
    named = {name: body.pop(name, None) for name in ("model", "messages")} if api(record) == "chat" else {}
    return {**named, "stream": record.stream, "extra_body": body | ({"chatsheet": block} if block else {})}


def settings(server: ReplayServer, endpoint: str) -> Settings:
    if endpoint == "azure":
        return Settings(_env_file=None, azure_openai_endpoint=server.url, azure_openai_api_key=KEY)
    if endpoint == "litellm":
        return Settings(_env_file=None, litellm_base_url=server.url, litellm_api_key=KEY)
    return Settings(_env_file=None, openai_base_url=f"{server.url}/v1", openai_api_key=KEY)


def dumped(value: BaseModel) -> dict[str, Any]:
    # Recordings hold values from before and after the SDK's types: it warns of them, and so of both sides alike.
    return value.to_dict(mode="json", warnings=False)


def send(client: openai.OpenAI, mode: Mode, arguments: Mapping[str, Any]) -> Outcome:
    outcome = Outcome()
    create: Any = client.chat.completions.create if mode == "chat" else client.responses.create
    try:
        reply = create(**arguments)
        if isinstance(client, ChatClient):
            outcome.tries = len(route_of(reply).attempts)
        for one in reply if arguments["stream"] else [reply]:
            outcome.given.append(dumped(one))
    except openai.APIError as error:
        outcome.error = error
    return outcome


async def asend(client: openai.AsyncOpenAI, mode: Mode, arguments: Mapping[str, Any]) -> Outcome:
    outcome = Outcome()
    create: Any = client.chat.completions.create if mode == "chat" else client.responses.create
    try:
        reply = await create(**arguments)
        outcome.tries = len(route_of(reply).attempts)
        if arguments["stream"]:
            async for one in reply:
                outcome.given.append(dumped(one))
        else:
            outcome.given.append(dumped(reply))
    except openai.APIError as error:
        outcome.error = error
    return outcome


class Clients:
    """Our two clients of each endpoint.  After an error both are new: the next recording must find its hop open."""

    def __init__(self, server: ReplayServer) -> None:
        self._server = server
        self._made: dict[str, tuple[ChatClient, AsyncChatClient]] = {}

    def of(self, endpoint: str) -> tuple[ChatClient, AsyncChatClient]:
        if endpoint not in self._made:
            told = settings(self._server, endpoint)
            self._made[endpoint] = (ChatClient(told, chain=[endpoint]), AsyncChatClient(told, chain=[endpoint]))
        return self._made[endpoint]

    async def drop(self, endpoint: str) -> None:
        client, other = self._made.pop(endpoint)
        client.close()
        await other.close()

    async def drop_all(self) -> None:
        for endpoint in tuple(self._made):
            await self.drop(endpoint)


SAMPLE = 3
"""One in so many successes is asked for asynchronously too, and every error."""


async def replay(records: Iterable[Recording]) -> list[Replayed]:
    made = []
    with (
        ReplayServer() as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as bare,
    ):
        clients = Clients(server)
        for number, record in enumerate(records):
            server.record = record
            server.clear()
            endpoint, mode = ENDPOINTS[record.kind], api(record)
            told = recorded_call(record, mode=mode, chain=[endpoint])
            client, other = clients.of(endpoint)
            expected = send(bare, mode, recorded_call(record))
            ours = [send(client.with_options(max_retries=0), mode, told)]
            if number % SAMPLE == 0 or not record.ok:
                ours.append(await asend(other.with_options(max_retries=0), mode, told))
            made.append(Replayed(record, expected, ours, [json.loads(request.body) for request in server.requests]))
            if any(outcome.error for outcome in ours):
                await clients.drop(endpoint)
        await clients.drop_all()
    return made


def report(request: pytest.FixtureRequest, title: str, counts: Mapping[str, int]) -> None:
    """Print the counts into the run's own output, where pytest would swallow them."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    lines = [f"  {count:4d}  {name}" for name, count in sorted(counts.items())]
    with capture.global_and_fixture_disabled():
        print(f"\n{title}: {sum(counts.values())}", *lines, sep="\n")

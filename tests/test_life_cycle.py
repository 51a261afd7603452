"""A client across a fork, and after its close."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from client_cases import settings_for

from chatsheet_llm import AsyncChatClient, ChatClient, LocalResourceError, sdk
from chatsheet_llm.sandbox import Sandbox

CALLS = 12


def answers(client, name):
    """What the calls of one process are answered; each prompt says whose it is."""
    said = []
    for number in range(CALLS):
        prompt = f"{name} number {number}."
        reply = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": prompt}])
        said.append(prompt in reply.choices[0].message.content)
    return said


def connections(client):
    """The local ports of every connection that the client's pools hold."""
    pools = [pool for http in client._core._clients.values() for pool in sdk.pools(http)]
    streams = [connection._connection._network_stream for pool in pools for connection in pool.connections]
    return [stream.get_extra_info("client_addr")[1] for stream in streams]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_parent_and_child_of_a_fork_get_their_own_answers_over_connections_of_their_own():
    with Sandbox() as box, ChatClient(settings_for(box)) as client:
        answers(client, "before")
        held = connections(client)
        mine, its = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                told = json.dumps([answers(client, "child"), connections(client)])
            except BaseException as error:
                told = json.dumps(repr(error))
            os.write(its, told.encode())
            os._exit(0)
        os.close(its)
        with os.fdopen(mine) as pipe:
            childs, own = json.loads(pipe.read())
        os.waitpid(child, 0)
        parents = answers(client, "parent")

    assert parents == [True] * CALLS
    assert childs == [True] * CALLS
    assert held
    assert own
    assert not {*held} & {*own}


def test_a_closed_client_says_so():
    with Sandbox() as box:
        client = ChatClient(settings_for(box))
        client.close()

        with pytest.raises(LocalResourceError, match="closed; make a new one"):
            client.models.list()


def test_a_closed_asynchronous_client_says_so():
    async def call(box):
        client = AsyncChatClient(settings_for(box))
        await client.close()
        await client.responses.create(model="gpt-5", input="Hello")

    with Sandbox() as box, pytest.raises(LocalResourceError, match="closed; make a new one"):
        asyncio.run(call(box))

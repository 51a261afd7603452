"""Calls whose answers say whose they are, and the connections that a client holds.  Asserts nothing."""

from __future__ import annotations

from typing import Any

from chatsheet_llm import sdk

CALLS = 12


def asked(prompt: str) -> dict[str, Any]:
    return {"model": "gpt-5", "messages": [{"role": "user", "content": prompt}]}


def answers(client: Any, name: str, calls: int = CALLS) -> list[bool]:
    """What the calls of one process or thread are answered; each prompt says whose it is."""
    said = []
    for number in range(calls):
        prompt = f"{name} number {number}."
        reply = client.chat.completions.create(**asked(prompt))
        said.append(prompt in reply.choices[0].message.content)
    return said


async def aanswers(client: Any, name: str, calls: int = CALLS) -> list[bool]:
    said = []
    for number in range(calls):
        prompt = f"{name} number {number}."
        reply = await client.chat.completions.create(**asked(prompt))
        said.append(prompt in reply.choices[0].message.content)
    return said


def connections(client: Any) -> list[Any]:
    """Every connection that the client's pools hold."""
    pools = [pool for http in client._core.connections.clients() for pool in sdk.pools(http)]
    return [connection for pool in pools for connection in pool.connections]

"""A replay opens no socket.  Judged by the interpreter's own audit events, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

CASSETTES = Path(__file__).resolve().parents[2] / "cassettes" / "sandbox"
HELLO = {"role": "user", "content": "Say hello to Ada, please."}

# `sockets=True`: the tripwire is off, so that nothing but vcrpy stands between the client and the network.
PROLOGUE = dedent(
    """
    import asyncio, json, socket, sys
    import vcr
    from chatsheet_llm import AsyncChatClient, ChatClient, Settings
    from chatsheet_llm.testing import use_cassette

    seen = []
    watching = False
    INET = (socket.AF_INET, socket.AF_INET6)

    def hook(event, args):
        if watching and event.startswith("socket.") and (event != "socket.__new__" or args[1] in INET):
            seen.append(event)

    sys.addaudithook(hook)

    def settings():
        return Settings(_env_file=None, azure_openai_endpoint="http://127.0.0.1:10", azure_openai_api_key="none-at-all")

    given = json.loads(sys.argv[1])
    said = ""
    """
)
SYNC = dedent(
    """
    with use_cassette(given["cassette"], sockets=True), ChatClient(settings(), chain=given["chain"]) as client:
        watching = True
        answer = client.chat.completions.create(**given["call"])
        if given["call"].get("stream"):
            said = "".join(c.choices[0].delta.content or "" for c in answer if c.choices and c.choices[0].delta)
        else:
            said = answer.choices[0].message.content
        watching = False
    """
)
ASYNC = dedent(
    """
    async def main():
        global watching
        async with AsyncChatClient(settings(), chain=given["chain"]) as client:
            watching = True
            answer = await client.chat.completions.create(**given["call"])
            if given["call"].get("stream"):
                said = [c.choices[0].delta.content or "" async for c in answer if c.choices and c.choices[0].delta]
            else:
                said = [answer.choices[0].message.content]
            watching = False
            return "".join(said)

    with use_cassette(given["cassette"], sockets=True):
        said = asyncio.run(main())
    """
)
UNRECORDED = dedent(
    """
    watching = True
    try:
        ChatClient(settings(), chain="azure/chat", max_retries=0).chat.completions.create(**given["call"])
    except Exception as error:
        said = type(error).__name__
    watching = False
    """
)
EPILOGUE = 'print(json.dumps({"said": said, "seen": sorted(set(seen))}))'


def run(program: str, given: object, directory: Path) -> dict[str, object]:
    environment = {
        name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "SYSTEMROOT", "TMPDIR")
    }
    done = subprocess.run(
        [sys.executable, "-c", PROLOGUE + program + EPILOGUE, json.dumps(given)],
        capture_output=True, text=True, cwd=directory, env=environment, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("program", "cassette", "chain", "call"),
    [
        pytest.param(SYNC, "chat-plain", "azure/chat", {"model": "gpt-5"}, id="sync-json"),
        pytest.param(
            SYNC,
            "chat-stream",
            "azure/chat",
            {"model": "gpt-5", "stream": True, "stream_options": {"include_usage": True}},
            id="sync-sse",
        ),
        pytest.param(ASYNC, "async-plain", "azure/chat", {"model": "gpt-5"}, id="async-json"),
        pytest.param(
            ASYNC, "async-stream", "azure/responses", {"model": "gpt-5-codex", "stream": True}, id="async-sse"
        ),
    ],
)
def test_a_replay_opens_no_socket(
    program: str, cassette: str, chain: str, call: dict[str, object], tmp_path: Path
) -> None:
    given = {
        "cassette": str(CASSETTES / f"{cassette}.yaml"),
        "chain": chain,
        "call": {"messages": [HELLO], **call},
    }
    answer = run(program, given, tmp_path)

    assert answer["seen"] == []
    assert str(answer["said"]).startswith("You said: Say hello to Ada, please.\nAnswered by azure/")


def test_the_same_call_without_a_cassette_is_seen_to_open_one(tmp_path: Path) -> None:
    answer = run(UNRECORDED, {"call": {"model": "gpt-5", "messages": [HELLO]}}, tmp_path)

    assert "socket.connect" in str(answer["seen"])
    assert str(answer["said"]).startswith("Hop")

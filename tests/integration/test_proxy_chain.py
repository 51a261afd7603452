"""The chain through the real LiteLLM proxy: every model, plain and streamed, and the proxy stopped in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest
from litellm_proxy import MODELS, LiteLLMProxy

from chatsheet_llm import AuthenticationError, ChatClient, OverloadedError, Settings, route_of
from chatsheet_llm.sandbox import Sandbox


def environment(proxy: LiteLLMProxy, sandbox: Sandbox) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")},
        "LITELLM_BASE_URL": proxy.url,
        "LITELLM_API_KEY": proxy.key,
        "AZURE_OPENAI_ENDPOINT": sandbox.azure_url,
        "AZURE_OPENAI_API_KEY": sandbox.api_key,
    }


def settings(proxy: LiteLLMProxy, sandbox: Sandbox) -> Settings:
    return Settings(
        _env_file=None,
        litellm_base_url=proxy.url,
        litellm_api_key=proxy.key,
        azure_openai_endpoint=sandbox.azure_url,
        azure_openai_api_key=sandbox.api_key,
    )


def ask(proxy: LiteLLMProxy, sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chatsheet_llm.cli", "ask", "How are you?", *arguments],
        env=environment(proxy, sandbox),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("model", MODELS)
def test_ask_streams_an_answer_of_every_model_through_the_proxy(litellm_proxy, sandbox, model):
    sandbox.forget()
    ran = ask(litellm_proxy, sandbox, "--model", model, "--route")

    assert ran.returncode == 0, ran.stderr
    assert "You said: How are you?" in ran.stdout
    assert "litellm/" in ran.stderr
    streams = [request.json.get("stream") for request in sandbox.requests]
    assert streams == [None if model == "gpt-5-pro" else True], "one send, and it streams upstream where the model does"


@pytest.mark.parametrize("model", MODELS)
def test_ask_gives_an_answer_of_every_model_through_the_proxy_unstreamed(litellm_proxy, sandbox, model):
    sandbox.forget()
    ran = ask(litellm_proxy, sandbox, "--model", model, "--no-stream", "--json")

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert "You said: How are you?" in told["text"]
    assert told["usage"]
    assert [attempt["hop"].partition("/")[0] for attempt in told["route"]["attempts"]] == ["litellm"]
    assert len(sandbox.requests) == 1


def test_a_responses_only_model_takes_the_native_endpoint_of_the_proxy_and_of_azure(litellm_proxy, sandbox):
    sandbox.forget()
    with ChatClient(settings(litellm_proxy, sandbox)) as client:
        completion = client.chat.completions.create(
            model="gpt-5-codex", messages=[{"role": "user", "content": "Hello"}], max_completion_tokens=400
        )

    assert route_of(completion).hop == "litellm/responses"
    assert [request.path for request in sandbox.requests] == ["/openai/responses"]
    assert sandbox.requests[0].json["max_output_tokens"] == 400
    assert "disable_fallbacks" not in sandbox.requests[0].json, "the proxy keeps it for itself"


def test_the_proxy_neither_retries_nor_falls_back_for_us(litellm_proxy, sandbox):
    sandbox.inject("azure", "503")
    sandbox.forget()
    only_the_proxy = ChatClient(settings(litellm_proxy, sandbox), chain="litellm", max_retries=0)

    with only_the_proxy as client, pytest.raises(OverloadedError, match="overloaded"):
        client.chat.completions.create(model="gpt-5-nano", messages=[{"role": "user", "content": "Hello"}])

    assert [request.model for request in sandbox.requests] == ["gpt-5-nano"]


def test_not_one_call_fails_when_the_proxy_stops_in_the_middle_of_a_loop(litellm_proxy, sandbox):
    stopper = threading.Timer(0.6, litellm_proxy.stop)
    routes = []
    with ChatClient(settings(litellm_proxy, sandbox)) as client:
        stopper.start()
        while len(routes) < 200 and not (len(routes) >= 40 and routes[-1].hop.startswith("azure")):
            model = list(MODELS)[len(routes) % len(MODELS)]
            stream = len(routes) % 2 == 1
            answer = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "Hello"}], stream=stream
            )
            if stream:
                chunks = [chunk for chunk in answer if chunk.choices and chunk.choices[0].delta]
                text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            else:
                text = answer.choices[0].message.content
            assert "You said: Hello" in text
            routes.append(route_of(answer))
    stopper.join()

    hops = [route.hop.partition("/")[0] for route in routes]
    assert hops[0] == "litellm"
    assert hops[-1] == "azure"
    first = routes[hops.index("azure")]
    assert first.attempts[0].endpoint == "litellm"
    assert first.attempts[0].outcome in ("refused", "reset", "stale", "overload", "server_error"), first
    assert str(first).startswith("litellm/")


def test_a_wrong_key_is_told_as_such_and_azure_answers(litellm_proxy, sandbox):
    told = settings(litellm_proxy, sandbox).with_endpoint(
        "litellm", {"kind": "litellm", "base_url": litellm_proxy.url, "api_key": "sk-wrong-canary-4242"}
    )
    with ChatClient(told) as client:
        completion = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello"}])
        with pytest.raises(AuthenticationError) as caught:
            client.with_chain("litellm").chat.completions.create(
                model="gpt-5", messages=[{"role": "user", "content": "Hello"}]
            )

    route = route_of(completion)
    assert [attempt.outcome for attempt in route.attempts] == ["auth", "ok"]
    assert "canary" not in f"{caught.value} {caught.value!r} {route}"


def test_an_unknown_model_of_the_proxy_moves_on_to_azure(litellm_proxy, sandbox):
    with ChatClient(settings(litellm_proxy, sandbox)) as client:
        completion = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])

    assert [attempt.outcome for attempt in route_of(completion).attempts] == ["unknown_model", "ok"]


def test_a_reply_of_the_proxy_goes_on_at_every_hop(litellm_proxy, sandbox):
    user = {"role": "user", "content": "Hello"}
    with ChatClient(settings(litellm_proxy, sandbox)) as client:
        first = client.chat.completions.create(model="gpt-5-chat", messages=[user])
        history = [user, first.choices[0].message, user]
        hops = [
            route_of(client.with_chain(hop).chat.completions.create(model=model, messages=history)).hop
            for model, hop in (
                ("gpt-5", "litellm"),
                ("gpt-5-codex", "litellm"),
                ("gpt-5", "azure/responses"),
                ("gpt-5", "azure/chat"),
            )
        ]

    assert route_of(first).hop == "litellm/chat"
    assert hops == ["litellm/chat", "litellm/responses", "azure/responses", "azure/chat"]

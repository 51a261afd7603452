"""The proxy that the other integration tests stand on does what they assume, seen through the bare OpenAI SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import litellm_proxy as litellm_proxy_module
import openai
import pytest
from litellm_proxy import MODELS, LiteLLMProxy, ProxyError
from openai.types.chat import ChatCompletionUserMessageParam

from chatsheet_llm.sandbox import Received, Sandbox, parse_fault

RESPONSES = "/openai/responses"
ONE_SEND = {"x-litellm-num-retries": "0", "x-litellm-timeout": "30"}
NO_FALLBACK = {"disable_fallbacks": True}
PROMPT: ChatCompletionUserMessageParam = {"role": "user", "content": "Say something."}


@pytest.fixture
def client(litellm_proxy: LiteLLMProxy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{litellm_proxy.url}/v1", api_key=litellm_proxy.key, max_retries=0, timeout=60) as it:
        yield it


EVERY_CALL = pytest.mark.parametrize(
    ("model", "stream"),
    # gpt-5-pro does not stream.
    [(model, stream) for model in MODELS for stream in (False, True) if not (model == "gpt-5-pro" and stream)],
    ids=lambda value: value if isinstance(value, str) else "stream" if value else "plain",
)


class Upstream:
    """What the proxy has sent to the sandbox since this was made."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box
        self._before = len(box.requests)

    @property
    def requests(self) -> Sequence[Received]:
        return self._box.requests[self._before :]

    @property
    def models(self) -> list[object]:
        return [body_of(request).get("model") for request in self.requests]


def body_of(request: Received) -> Mapping[str, object]:
    assert isinstance(request.json, Mapping)
    return request.json


def send(
    client: openai.OpenAI,
    api: str,
    model: str,
    *,
    stream: bool = False,
    body: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Send one request in one of the two formats; return the text of the answer, streamed or whole."""
    if api == "chat" and stream:
        chunks = client.chat.completions.create(
            model=model, messages=[PROMPT], stream=True, extra_body=body, extra_headers=headers
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    if api == "chat":
        whole = client.chat.completions.create(model=model, messages=[PROMPT], extra_body=body, extra_headers=headers)
        return whole.choices[0].message.content or ""
    if stream:
        events = client.responses.create(
            model=model, input="Say something.", stream=True, extra_body=body, extra_headers=headers
        )
        return "".join(event.delta for event in events if event.type == "response.output_text.delta")
    return client.responses.create(
        model=model, input="Say something.", extra_body=body, extra_headers=headers
    ).output_text


@EVERY_CALL
def test_every_alias_answers_a_chat_call_from_the_deployment_it_names(
    client: openai.OpenAI, sandbox: Sandbox, model: str, stream: bool
) -> None:
    upstream = Upstream(sandbox)
    text = send(client, "chat", model, stream=stream)

    expected = (
        RESPONSES if MODELS[model].startswith("azure/responses/") else f"/openai/deployments/{model}/chat/completions"
    )
    assert text
    assert [request.path for request in upstream.requests] == [expected]
    assert upstream.models == [model]


@EVERY_CALL
def test_every_alias_answers_a_responses_call_natively(
    client: openai.OpenAI, sandbox: Sandbox, model: str, stream: bool
) -> None:
    upstream = Upstream(sandbox)
    text = send(client, "responses", model, stream=stream)

    assert text
    assert [request.path for request in upstream.requests] == [RESPONSES]
    assert upstream.models == [model]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("model", ["gpt-5-nano", "gpt-5-codex"])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_control_fields_are_accepted_and_not_forwarded(
    client: openai.OpenAI, sandbox: Sandbox, api: str, model: str, stream: bool
) -> None:
    upstream = Upstream(sandbox)
    text = send(client, api, model, stream=stream, body=NO_FALLBACK, headers=ONE_SEND)

    (request,) = upstream.requests
    assert text
    assert not body_of(request).keys() & {"disable_fallbacks", "num_retries", "timeout"}
    assert not [name for name in request.headers if name.startswith("x-litellm")]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(("model", "other"), [("gpt-5-nano", "gpt-5-mini"), ("gpt-5-codex", "gpt-5-pro")])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_disable_fallbacks_keeps_the_proxy_from_asking_another_model(
    client: openai.OpenAI, sandbox: Sandbox, api: str, model: str, other: str, stream: bool
) -> None:
    for hop in ("azure/chat", "azure/responses"):
        sandbox.inject(hop, parse_fault("503"))

    without = Upstream(sandbox)
    with pytest.raises(openai.InternalServerError):
        send(client, api, model, stream=stream, headers=ONE_SEND)
    seen_without = without.models

    with_it = Upstream(sandbox)
    with pytest.raises(openai.InternalServerError):
        send(client, api, model, stream=stream, body=NO_FALLBACK, headers=ONE_SEND)

    assert seen_without == [model, other]
    assert with_it.models == [model]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_num_retries_zero_is_one_send(client: openai.OpenAI, sandbox: Sandbox, api: str) -> None:
    sandbox.inject(f"azure/{api}", parse_fault("503"), times=1)
    upstream = Upstream(sandbox)
    with pytest.raises(openai.InternalServerError):
        send(client, api, "gpt-5", body=NO_FALLBACK, headers=ONE_SEND)

    assert len(upstream.requests) == 1


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_without_the_header_the_proxy_sends_again_by_itself(client: openai.OpenAI, sandbox: Sandbox, api: str) -> None:
    sandbox.inject(f"azure/{api}", parse_fault("503"), times=1)
    upstream = Upstream(sandbox)
    text = send(client, api, "gpt-5", body=NO_FALLBACK)

    assert text
    assert len(upstream.requests) == 2


def test_the_timeout_header_ends_a_call_before_the_client_does(client: openai.OpenAI, sandbox: Sandbox) -> None:
    sandbox.inject("azure/chat", parse_fault("stall"), times=1)

    with pytest.raises(openai.APIStatusError) as caught:
        send(client, "chat", "gpt-5", body=NO_FALLBACK, headers={**ONE_SEND, "x-litellm-timeout": "0.3"})
    assert caught.value.status_code == 408


def test_it_comes_back_on_the_same_port_with_the_same_key(client: openai.OpenAI, litellm_proxy: LiteLLMProxy) -> None:
    litellm_proxy.stop()
    with pytest.raises(openai.APIConnectionError):
        send(client, "chat", "gpt-5")
    litellm_proxy.start()

    assert send(client, "chat", "gpt-5")


def test_a_start_that_fails_shows_the_end_of_the_log(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path_factory.mktemp("broken")
    launcher = directory / "launcher"
    launcher.write_text("#!/bin/sh\necho no such model >&2\nexit 3\n", encoding="utf-8")
    launcher.chmod(0o700)
    monkeypatch.setattr(litellm_proxy_module, "install", lambda: launcher)
    proxy = LiteLLMProxy(azure_url="http://127.0.0.1:9", azure_key="unused", directory=directory)

    with pytest.raises(ProxyError, match=r"ended with 3 instead of starting; the end of its log:\nno such model"):
        proxy.start()
    assert not proxy.running

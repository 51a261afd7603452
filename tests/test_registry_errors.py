"""What a caller hears of a model that cannot be had as asked: over real sockets, unsent where we know it ourselves."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import openai
import pytest
from client_cases import WEATHER, Said, ask, hello, quick_sandbox, settings_for, text_of, way

from chatsheet_llm import AsyncChatClient, ChatClient, errors, route_of
from chatsheet_llm.sandbox import Sandbox

DEPLOYMENTS = {"codex-prod": "gpt-5-codex", "four": "gpt-4", "gpt-5": "gpt-5"}
"""Azure deployments: Responses only, Chat only, both."""

MODELS = """\
endpoints:
  azure: {headers: {x-team: hush-header}}
  eu: {kind: azure, base_url: "https://eu.example.com", headers: {x-team: hush-header}}
  proxy: {kind: litellm, api_key: hush-key}
models:
  coder: {base_model: gpt-5-codex, deployments: {azure: codex-prod}}
  chatty: {base_model: gpt-5-codex, deployments: {azure: codex-prod}, mode: chat}
  gpt-5-codex: {chain: [azure]}
  said: {base_model: gpt-5, capabilities: {apis: [responses]}}
  unsaid: {base_model: gpt-5-codex, deployments: {azure: gpt-5}, chain: [azure], capabilities: {apis: [chat]}}
  raw: {deployments: {azure: codex-prod}, chain: [azure]}
  old: {base_model: gpt-4, deployments: {azure: four}}
  older: {base_model: gpt-4, deployments: {azure: four}, mode: responses}
  far: {chain: [eu]}
  farther: {chain: [eu/responses, openai, anthropic/messages]}
  proxied: {chain: [proxy]}
  mixed: {base_model: gpt-5-codex, chain: [eu, azure/chat], mode: chat}
"""
ALIASES = (
    "coder, chatty, gpt-5-codex, said, unsaid, raw, old, older, far, farther, proxied, mixed; "
    "an entry '*' would let every name pass"
)

Call = Callable[..., Any]


class Either:
    """A client of either kind, whose calls are waited for."""

    def __init__(self, kind: type[Any], box: Sandbox, path: Path, **more: object) -> None:
        path.write_text(MODELS, encoding="utf-8")
        self.box, self.path = box, path
        self.loop = asyncio.new_event_loop()
        self.client = kind(settings_for(box, models_file=path, **more))

    def wait(self, value: Any) -> Any:
        async def waited() -> Any:
            return await value

        return self.loop.run_until_complete(waited()) if inspect.isawaitable(value) else value

    def close(self) -> None:
        self.wait(self.client.close())
        self.loop.close()

    def whole(self, answer: Any) -> Any:
        """Return an answer, or all that a stream says."""

        async def read() -> list[Any]:
            return [event async for event in answer]

        if isinstance(answer, openai.AsyncStream):
            return self.loop.run_until_complete(read())
        return list(answer) if isinstance(answer, openai.Stream) else answer

    def reload(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")
        self.client.reload()

    def failed(self, call: Call, **body: object) -> Any:
        """Return the error of a call: it holds no secret, names no cause, and survives a pickle."""
        with pytest.raises(errors.ChatsheetError) as caught:
            self.wait(call(self.client, **body))
        error = caught.value
        copied = pickle.loads(pickle.dumps(error))
        shown = f"{error} {error!r} {vars(error)} {copied} {copied.route}"

        assert (type(copied), str(copied), copied.route) == (type(error), str(error), error.route)
        assert [getattr(copied, name, None) for name in FIELDS] == [getattr(error, name, None) for name in FIELDS]
        assert (error.__cause__, error.__context__) == (None, None)
        assert [word for word in (self.box.api_key, "hush") if word in shown] == []
        return error


FIELDS = ("status_code", "code", "param", "type", "body", "message", "request_id")


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with quick_sandbox(DEPLOYMENTS) as made:
        yield made


@pytest.fixture(params=[ChatClient, AsyncChatClient], ids=["sync", "async"])
def either(request: pytest.FixtureRequest, box: Sandbox, tmp_path: Path) -> Iterator[Either]:
    made = Either(request.param, box, tmp_path / "models.yaml")
    yield made
    made.close()


def block(**told: object) -> dict[str, object]:
    return {"extra_body": {"chatsheet": told}}


def parse(client: Any, **body: Any) -> Any:
    messages = [{"role": "user", "content": "hello there"}]
    return client.chat.completions.parse(messages=messages, response_format=Said, **body)


def raw(client: Any, **body: Any) -> Any:
    messages = [{"role": "user", "content": "hello there"}]
    return client.chat.completions.with_raw_response.create(messages=messages, **body)


CALLS: dict[str, tuple[Call, dict[str, object]]] = {
    "chat": (hello, {}),
    "chat stream": (hello, {"stream": True}),
    "chat with tools": (hello, {"tools": [WEATHER], "reasoning_effort": "low"}),
    "chat parse": (parse, {}),
    "chat raw": (raw, {}),
    "responses": (ask, {}),
    "responses stream": (ask, {"stream": True}),
}
by_call = pytest.mark.parametrize(("call", "body"), CALLS.values(), ids=CALLS)


# --- a model that nobody named


@by_call
def test_an_unknown_model_is_told_with_the_names_there_are(
    either: Either, box: Sandbox, call: Call, body: dict[str, object]
) -> None:
    error = either.failed(call, model="codr", **body)

    assert isinstance(error, errors.UnknownModelError)
    assert isinstance(error, openai.NotFoundError)
    assert (error.status_code, error.code, error.param) == (404, "model_not_found", "model")
    assert str(error).startswith("models.yaml names no model 'codr'")
    assert "did you mean 'coder'?" in str(error)
    assert str(error).endswith(f" has {ALIASES}")
    assert error.message == str(error)
    assert error.response.status_code == 404
    assert [skip.hop for skip in error.route.skipped] == ["litellm", "azure/responses", "azure/chat"]
    assert error.route.attempts == ()
    assert box.requests == []


def test_a_model_that_cannot_be_fetched_is_told_in_the_same_words(either: Either, box: Sandbox) -> None:
    called = either.failed(hello, model="codr")
    fetched = either.failed(lambda client: client.models.retrieve("codr"))

    assert (type(fetched), str(fetched)) == (type(called), str(called))
    assert (fetched.status_code, fetched.code, fetched.param) == (404, "model_not_found", "model")
    assert box.requests == []


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("coder2", "coder"),
        ("gpt5-codex", "gpt-5-codex"),
        ("azure/coder", "coder"),
        ("GPT-5-CODEX", "gpt-5-codex"),
        ("llama", None),
        ("", None),
        ("\u4e2d\n", None),
    ],
)
def test_the_closest_name_is_offered_where_one_is_close(either: Either, name: str, close: str | None) -> None:
    said = str(either.failed(hello, model=name))

    assert said.startswith(f"models.yaml names no model {name!r}")
    assert said.partition("did you mean ")[2].partition("?")[0] == ("" if close is None else repr(close))
    assert said.endswith(f" has {ALIASES}")


def test_of_many_names_thirty_are_told_and_the_rest_counted(either: Either) -> None:
    names = [f"model-{number:03}" for number in range(42)]
    either.reload("".join(f"{name}: {{}}\n" for name in names))

    assert f" has {', '.join(names[:30])} and 12 more; an entry" in str(either.failed(hello, model="x"))


def test_a_name_is_unknown_whatever_chain_or_mode_the_call_sets(either: Either, box: Sandbox) -> None:
    error = either.failed(hello, model="codr", **block(chain=["azure/chat"], mode="responses", on_loss="drop"))

    assert (type(error), error.code) == (errors.UnknownModelError, "model_not_found")
    assert box.requests == []


def test_the_entry_for_every_name_lets_an_unknown_one_pass(either: Either, box: Sandbox) -> None:
    either.reload("models: {coder: {}, '*': {chain: [azure/chat]}}\n")
    answer = either.wait(hello(either.client, model="gpt-5"))

    assert way(route_of(answer)) == "azure/chat 200"
    assert [request.model for request in box.requests] == ["gpt-5"]


def test_a_model_of_another_api_than_chat_and_responses_need_not_be_named(either: Either, box: Sandbox) -> None:
    answer = either.wait(either.client.embeddings.create(model="text-embedding-3-small", input="x"))

    assert way(route_of(answer)) == "litellm 200"
    assert [request.path for request in box.requests] == ["/v1/embeddings"]


# --- a model whose endpoint has no key


@pytest.mark.parametrize(
    ("model", "chain", "variables"),
    [
        ("far", None, ["CHATSHEET_ENDPOINTS__EU__API_KEY or CHATSHEET_ENDPOINTS__EU__AD_TOKEN"]),
        (
            "farther",
            None,
            ["CHATSHEET_ENDPOINTS__EU__API_KEY or CHATSHEET", "set OPENAI_API_KEY", "set ANTHROPIC_API_KEY"],
        ),
        ("proxied", None, ["CHATSHEET_ENDPOINTS__PROXY__BASE_URL"]),
        ("coder", ["openai/responses"], ["set OPENAI_API_KEY"]),
        ("coder", ["anthropic_foundry"], ["set ANTHROPIC_FOUNDRY_RESOURCE, and ANTHROPIC_FOUNDRY_API_KEY or "]),
    ],
)
@pytest.mark.parametrize("call", [hello, ask])
def test_an_endpoint_without_a_key_is_told_with_the_variable_to_set(
    either: Either, box: Sandbox, call: Call, model: str, chain: list[str] | None, variables: list[str]
) -> None:
    error = either.failed(call, model=model, **({} if chain is None else block(chain=chain)))

    assert isinstance(error, errors.NoEndpointError)
    assert isinstance(error, ValueError)
    assert [variable for variable in variables if variable not in str(error)] == []
    assert {skip.rule for skip in error.route.skipped} == {"not configured"}
    assert box.requests == []


@pytest.mark.parametrize("kind", [ChatClient, AsyncChatClient])
def test_an_azure_resource_without_a_key_is_told_by_its_own_variable(box: Sandbox, tmp_path: Path, kind: Any) -> None:
    either = Either(kind, box, tmp_path / "models.yaml", azure_openai_api_key=None)
    error = either.failed(hello, model="raw")
    either.close()

    assert str(error).endswith(
        "endpoint 'azure' is half configured (it has base_url, headers); "
        "set AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN"
    )
    assert box.requests == []


def test_the_variable_is_named_beside_a_hop_that_is_left_out_for_its_mode(either: Either) -> None:
    assert "CHATSHEET_ENDPOINTS__EU__API_KEY" in str(either.failed(hello, model="mixed"))


# --- an API that the model does not speak

WRONG_MODE: dict[str, tuple[str, str | None, dict[str, object]]] = {
    "mode of the entry": ("chatty", None, {}),
    "mode of the call": ("coder", "chat", {}),
    "at azure alone": ("coder", "chat", {"chain": ["azure"]}),
    "at the proxy alone": ("coder", "chat", {"chain": ["litellm"]}),
    "known by its name": ("gpt-5-codex", "chat", {}),
    "known from the entry's capabilities": ("said", "chat", {}),
    "losses allowed": ("coder", "chat", {"on_loss": "drop"}),
}


@pytest.mark.parametrize(("model", "mode", "more"), WRONG_MODE.values(), ids=WRONG_MODE)
@by_call
def test_a_responses_only_model_asked_for_with_mode_chat_is_a_400_that_names_responses(
    either: Either, box: Sandbox, call: Call, body: dict[str, object],
    model: str, mode: str | None, more: Mapping[str, object],
) -> None:  # fmt: skip
    told = block(**({} if mode is None else {"mode": mode}), **more)
    error = either.failed(call, model=model, **body, **told)

    assert isinstance(error, errors.CapabilityError)
    assert isinstance(error, openai.BadRequestError)
    assert (error.status_code, error.code, error.param) == (400, "OperationNotSupported", "mode")
    assert error.response.status_code == 400
    assert "is served through /v1/responses, not /v1/chat/completions" in str(error)
    assert f"{'the model entry' if mode is None else 'the call'} sets the mode to Chat" in str(error)
    assert "leave the mode to the rules, or correct the model's capabilities" in str(error)
    assert error.route.attempts == ()
    assert box.requests == []


@pytest.mark.parametrize(("model", "told"), [("older", {}), ("old", block(mode="responses"))])
@pytest.mark.parametrize("call", [hello, ask])
def test_a_chat_only_model_asked_for_with_mode_responses_is_a_400_that_names_chat(
    either: Either, box: Sandbox, call: Call, model: str, told: dict[str, object]
) -> None:
    error = either.failed(call, model=model, **told)

    assert isinstance(error, openai.BadRequestError)
    assert (error.code, error.param) == ("OperationNotSupported", "mode")
    assert "is served through /v1/chat/completions, not /v1/responses" in str(error)
    assert box.requests == []


def test_where_nothing_is_known_the_provider_s_own_400_is_told_and_responses_named(
    either: Either, box: Sandbox
) -> None:
    error = either.failed(hello, model="raw", **block(mode="chat"))
    body, attempts = error.body, error.route.attempts

    assert isinstance(error, openai.BadRequestError)
    assert (error.status_code, error.code) == (400, "OperationNotSupported")
    assert body["code"] == "OperationNotSupported"
    assert body["message"].startswith("The chatCompletion operation does not work with the specified model")
    assert "/v1/responses" in str(error)
    assert [attempt.status for attempt in attempts] == [400]
    assert len(box.requests) == 1


def test_what_an_answer_taught_of_a_model_is_heeded_before_anything_is_sent(either: Either, box: Sandbox) -> None:
    either.wait(ask(either.client, model="raw"))
    box.forget()
    error = either.failed(hello, model="raw", **block(mode="chat"))

    assert "gpt-5-codex-2025-09-15 is served through /v1/responses" in str(error)
    assert box.requests == []


def test_an_entry_that_corrects_the_table_is_believed(either: Either) -> None:
    answer = either.wait(hello(either.client, model="unsaid", **block(mode="chat")))

    assert way(route_of(answer)) == "azure/chat 200"


# --- a model that speaks only Chat, asked through Responses


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("chain", ["litellm", "azure"])
def test_a_chat_only_model_answers_a_responses_call(either: Either, box: Sandbox, chain: str, stream: bool) -> None:
    answer = either.wait(
        ask(either.client, model="old", **block(chain=[chain]), **({"stream": True} if stream else {}))
    )
    route = route_of(answer)

    assert way(route) == f"{chain}/chat 200"
    assert route.attempts[0].rule == "capability"
    assert text_of(either.whole(answer)).startswith(f"You said: hello there\nAnswered by {chain}/chat")
    assert [request.path.endswith("/chat/completions") for request in box.requests] == [True]


UNBRIDGED: dict[str, tuple[dict[str, object], str, str]] = {
    "background": ({"background": True}, "background", "Chat answers in the call itself"),
    "background stream": ({"background": True, "stream": True}, "background", "Chat answers in the call itself"),
    "hosted tool": ({"tools": [{"type": "web_search"}]}, "tools[0]", "Chat has no tool 'web_search'"),
    "stored prompt": ({"prompt": {"id": "pmpt_1"}}, "prompt", "only the endpoint that made it knows it"),
    "earlier response": (
        {"previous_response_id": "resp_1"}, "previous_response_id", "only the endpoint that made it knows it",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "param", "says"), UNBRIDGED.values(), ids=UNBRIDGED)
@pytest.mark.parametrize("chain", [["litellm"], ["azure"], ["litellm", "azure/responses", "azure/chat"]], ids=str)
def test_what_chat_cannot_carry_of_a_responses_call_is_a_400_that_says_what(
    either: Either, box: Sandbox, chain: list[str], body: dict[str, object], param: str, says: str
) -> None:
    error = either.failed(ask, model="old", **body, **block(chain=chain))

    assert isinstance(error, errors.UnsupportedParameterError)
    assert isinstance(error, openai.BadRequestError)
    assert (error.status_code, error.code, error.param) == (400, "unsupported_parameter", param)
    assert f"{param}: {says}" in str(error)
    assert error.route.attempts == ()
    assert box.requests == []


def test_what_chat_cannot_carry_is_left_out_and_listed_where_the_caller_allows_it(either: Either) -> None:
    told = block(chain=["azure"], on_loss="drop")
    answer = either.wait(ask(either.client, model="old", tools=[{"type": "web_search"}], **told))

    assert way(route_of(answer)) == "azure/chat 200"
    assert "tools[0]" in {loss.path for loss in route_of(answer).losses if not loss.minor}


def test_nobody_is_told_to_drop_what_is_never_dropped(either: Either) -> None:
    error = either.failed(ask, model="old", previous_response_id="resp_1", **block(on_loss="drop"))

    assert "set on_loss to 'drop'" not in str(error)


# --- the fields that the SDK's own errors have

OURS: dict[str, tuple[Call, dict[str, object]]] = {
    "unknown": (hello, {"model": "codr"}),
    "mode": (hello, {"model": "chatty"}),
    "not bridged": (ask, {"model": "old", "background": True}),
}


@pytest.mark.parametrize(("call", "body"), OURS.values(), ids=OURS)
def test_an_error_of_ours_has_the_type_and_body_of_one_of_openai(
    either: Either, call: Call, body: dict[str, object]
) -> None:
    error = either.failed(call, **body)

    assert error.type == "invalid_request_error"
    assert error.body == {"message": error.message, "type": error.type, "param": error.param, "code": error.code}


@pytest.mark.parametrize(("call", "body"), OURS.values(), ids=OURS)
def test_no_error_of_ours_is_retried_or_closes_a_hop(
    either: Either, box: Sandbox, call: Call, body: dict[str, object]
) -> None:
    first, second = (either.failed(call, **body, timeout=5) for _ in range(2))

    assert str(first) == str(second)
    assert either.client.health() == ()
    assert either.client.learned() == ()
    assert box.requests == []

"""The documented error bodies, seen through the official SDKs.  All are built from documented facts, not recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.sandbox.catalogue import TABLES

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
VERSION = {"api-version": "2025-04-01-preview"}


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def transport() -> Iterator[httpx2.Client]:
    with httpx2.Client() as client:
        yield client


def sdk(box: Sandbox, role: str, transport: httpx2.Client, api_key: str | None = None) -> openai.OpenAI:
    urls = {"litellm": "litellm_url", "azure": "azure_url", "openai": "openai_url"}
    base = getattr(box, urls[role]) + ("/openai/v1" if role == "azure" else "/v1")
    return openai.OpenAI(base_url=base, api_key=api_key or box.api_key, max_retries=0, http_client=transport)


def claude(box: Sandbox, transport: httpx2.Client, api_key: str | None = None) -> anthropic.Anthropic:
    key = api_key or box.api_key
    return anthropic.Anthropic(base_url=box.anthropic_url, api_key=key, max_retries=0, http_client=transport)


BODIES: list[tuple[str, str, type[openai.APIStatusError], str | None, str]] = [
    ("azure", "400:OperationNotSupported", openai.BadRequestError, "OperationNotSupported", "chatCompletion operation"),
    ("azure", "400:content_filter", openai.BadRequestError, "content_filter", "content management policy"),
    ("azure", "400:context_length_exceeded", openai.BadRequestError, "context_length_exceeded", "maximum context"),
    ("azure", "400:unsupported_parameter", openai.BadRequestError, "unsupported_parameter", "'temperature' is not"),
    ("azure", "400:api-version", openai.BadRequestError, "BadRequest", "not allowed when using /v1 path"),
    ("azure", "400:made_up", openai.BadRequestError, "made_up", "made_up"),
    ("azure", "401", openai.AuthenticationError, "401", "invalid subscription key"),
    ("azure", "401:PermissionDenied", openai.AuthenticationError, "PermissionDenied", "Principal does not have access"),
    ("azure", "401:token", openai.AuthenticationError, None, "Access token is missing"),
    ("azure", "401:subscription", openai.AuthenticationError, None, "missing subscription key"),
    ("azure", "403:firewall", openai.PermissionDeniedError, "403", "Virtual Network/Firewall rules"),
    ("azure", "403:public-access", openai.PermissionDeniedError, "403", "Public access is disabled"),
    ("azure", "403:suspended", openai.PermissionDeniedError, "403", "temporarily blocked"),
    (
        "azure",
        "403:AuthenticationTypeDisabled",
        openai.PermissionDeniedError,
        "AuthenticationTypeDisabled",
        "Key based authentication is disabled",
    ),
    ("azure", "404", openai.NotFoundError, "404", "Resource not found"),
    ("azure", "404:DeploymentNotFound", openai.NotFoundError, "DeploymentNotFound", "deployment for this resource"),
    ("azure", "408", openai.APIStatusError, "Timeout", "The operation was timeout"),
    ("azure", "429;retry-after=7", openai.RateLimitError, "429", "retry after 7 seconds"),
    ("azure", "500", openai.InternalServerError, None, "The server had an error"),
    ("azure", "503", openai.InternalServerError, "503", "Service Unavailable"),
    ("openai", "401", openai.AuthenticationError, "invalid_api_key", "Incorrect API key provided"),
    ("openai", "404:model_not_found", openai.NotFoundError, "model_not_found", "does not exist"),
    ("openai", "429", openai.RateLimitError, "rate_limit_exceeded", "Rate limit reached"),
    ("openai", "429:insufficient_quota", openai.RateLimitError, "insufficient_quota", "exceeded your current quota"),
    ("openai", "503", openai.InternalServerError, None, "upstream connect error"),
    ("litellm", "400:content_filter", openai.BadRequestError, "400", "ContentPolicyViolationError"),
    ("litellm", "400:context_length_exceeded", openai.BadRequestError, "400", "ContextWindowExceededError"),
    ("litellm", "400:OperationNotSupported", openai.BadRequestError, "400", "does not work with the specified model"),
    ("litellm", "400:model", openai.BadRequestError, "400", "Invalid model name passed in model=gpt-5"),
    ("litellm", "400:no_db_connection", openai.BadRequestError, "400", "No connected db."),
    ("litellm", "401", openai.AuthenticationError, "401", "Unable to find token in cache"),
    ("litellm", "401:upstream", openai.AuthenticationError, "401", "AzureException - Access denied"),
    ("litellm", "404:DeploymentNotFound", openai.NotFoundError, "404", "AzureException - The API deployment"),
    ("litellm", "429", openai.RateLimitError, "429", "litellm.RateLimitError: AzureException"),
    (
        "litellm",
        "429:all_deployments_in_cooldown;retry-after=5",
        openai.RateLimitError,
        "429",
        "No deployments available for selected model",
    ),
    ("litellm", "500", openai.InternalServerError, "500", "litellm.InternalServerError"),
    ("litellm", "503", openai.InternalServerError, "503", "litellm.ServiceUnavailableError"),
]


@pytest.mark.parametrize(("role", "fault", "kind", "code", "words"), BODIES, ids=[f"{b[0]} {b[1]}" for b in BODIES])
def test_a_status_fault_gives_the_documented_body(
    box: Sandbox,
    transport: httpx2.Client,
    role: str,
    fault: str,
    kind: type[openai.APIStatusError],
    code: str | None,
    words: str,
) -> None:
    box.inject(role, fault)
    with pytest.raises(kind) as caught:
        sdk(box, role, transport).chat.completions.create(model="gpt-5", messages=HELLO)

    assert type(caught.value) is kind
    assert caught.value.status_code == int(fault[:3])
    assert caught.value.code == code
    assert words in str(caught.value.body)


ANTHROPIC: list[tuple[str, type[anthropic.APIStatusError], str]] = [
    ("400:context_length_exceeded", anthropic.BadRequestError, "invalid_request_error"),
    ("401", anthropic.AuthenticationError, "authentication_error"),
    ("403", anthropic.PermissionDeniedError, "permission_error"),
    ("404:model", anthropic.NotFoundError, "not_found_error"),
    ("413", anthropic.APIStatusError, "request_too_large"),
    ("429", anthropic.RateLimitError, "rate_limit_error"),
    ("500", anthropic.InternalServerError, "api_error"),
    ("529", anthropic.APIStatusError, "overloaded_error"),
]


@pytest.mark.parametrize(("fault", "kind", "code"), ANTHROPIC, ids=[row[0] for row in ANTHROPIC])
def test_anthropic_statuses_have_its_types(
    box: Sandbox, transport: httpx2.Client, fault: str, kind: type[anthropic.APIStatusError], code: str
) -> None:
    box.inject("anthropic", fault)
    with pytest.raises(kind) as caught:
        claude(box, transport).messages.create(model="c", max_tokens=9, messages=HELLO)

    body: Any = caught.value.body
    assert caught.value.status_code == int(fault[:3])
    assert body["type"] == "error"
    assert body["error"]["type"] == code
    assert caught.value.request_id == caught.value.response.headers["request-id"]


def test_a_spend_limit_says_so_in_the_details(box: Sandbox, transport: httpx2.Client) -> None:
    box.inject("anthropic", "429:enforced_spend_limit_reached")
    with pytest.raises(anthropic.RateLimitError) as caught:
        claude(box, transport).messages.create(model="c", max_tokens=9, messages=HELLO)

    body: Any = caught.value.body
    assert body["error"]["details"]["error_code"] == "enforced_spend_limit_reached"
    assert "retry-after" not in caught.value.response.headers


def test_every_row_of_the_tables_can_be_sent_and_has_no_placeholder_left(
    box: Sandbox, transport: httpx2.Client
) -> None:
    headers = {"authorization": f"Bearer {box.api_key}"}
    for role, table in TABLES.items():
        for status, code in table:
            box.inject(role, f"{status}:{code}" if code else str(status), times=1)
            reply = transport.post(box.url(role) + "/v1/x", headers=headers, json={"model": "gpt-5"})
            assert reply.status_code == status
            for name in ("{model}", "{operation}", "{param}", "{key}", "{hash}", "{retry}"):
                assert name not in reply.text, (role, status, code)


# Headers


def test_a_retry_hint_has_its_own_name_except_behind_litellm(box: Sandbox, transport: httpx2.Client) -> None:
    hints: dict[str, dict[str, str]] = {}
    for role in ("azure", "litellm"):
        box.inject(role, "429;retry-after=2;retry-after-ms=1900")
        with pytest.raises(openai.RateLimitError) as caught:
            sdk(box, role, transport).responses.create(model="gpt-5", input="x")
        hints[role] = {name: value for name, value in caught.value.response.headers.items() if "retry-after" in name}

    assert hints["azure"] == {"retry-after": "2", "retry-after-ms": "1900"}
    assert hints["litellm"] == {"llm_provider-retry-after": "2", "llm_provider-retry-after-ms": "1900"}


def test_litellms_own_cooldown_sends_a_real_retry_hint(box: Sandbox, transport: httpx2.Client) -> None:
    box.inject("litellm", "429:all_deployments_in_cooldown;retry-after=5")
    with pytest.raises(openai.RateLimitError) as caught:
        sdk(box, "litellm", transport).responses.create(model="gpt-5", input="x")

    assert caught.value.type == "all_deployments_in_cooldown"
    assert caught.value.response.headers["retry-after"] == "5"


def test_replies_carry_the_headers_of_their_role(box: Sandbox, transport: httpx2.Client) -> None:
    heads: dict[str, httpx2.Headers] = {
        role: sdk(box, role, transport).responses.with_raw_response.create(model="gpt-5", input="x").headers
        for role in ("azure", "openai", "litellm")
    }
    raw = claude(box, transport).messages.with_raw_response
    heads["anthropic"] = raw.create(model="c", max_tokens=9, messages=HELLO).headers

    assert {"apim-request-id", "x-request-id", "x-ms-region", "x-ratelimit-remaining-tokens"} <= set(heads["azure"])
    assert heads["azure"]["x-ms-served-model"] == "gpt-5-2025-08-07"
    assert "azureml-model-session" not in heads["azure"]
    assert {"x-request-id", "openai-version"} <= set(heads["openai"])
    assert {"x-litellm-call-id", "x-litellm-model-id", "x-litellm-version", "x-litellm-attempted-retries"} <= set(
        heads["litellm"]
    )
    assert "llm_provider-apim-request-id" in heads["litellm"]
    assert heads["anthropic"]["request-id"].startswith("req_")


def test_litellm_errors_say_nothing_about_retries(box: Sandbox, transport: httpx2.Client) -> None:
    box.inject("litellm", "503")
    with pytest.raises(openai.InternalServerError) as caught:
        sdk(box, "litellm", transport).responses.create(model="gpt-5", input="x")

    assert {"x-litellm-call-id", "x-litellm-timeout"} <= set(caught.value.response.headers)
    assert "x-litellm-attempted-retries" not in caught.value.response.headers


def test_litellm_wraps_the_whole_upstream_body_on_responses_and_its_text_on_chat(
    box: Sandbox, transport: httpx2.Client
) -> None:
    client = sdk(box, "litellm", transport)
    box.inject("litellm", "400:content_filter")
    with pytest.raises(openai.BadRequestError) as chat:
        client.chat.completions.create(model="gpt-5", messages=HELLO)
    with pytest.raises(openai.BadRequestError) as responses:
        client.responses.create(model="gpt-5", input="x")

    chat_body: Any = chat.value.body
    responses_body: Any = responses.value.body
    assert "ResponsibleAIPolicyViolation" not in chat.value.message
    assert chat_body["provider_specific_fields"]["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    assert '"innererror"' in responses.value.message
    assert responses_body["provider_specific_fields"]["innererror"] is None


# Keys


@pytest.mark.parametrize("role", ["litellm", "azure", "openai"])
def test_a_wrong_key_gets_the_roles_401(box: Sandbox, transport: httpx2.Client, role: str) -> None:
    with pytest.raises(openai.AuthenticationError):
        sdk(box, role, transport, "sk-not-the-key").chat.completions.create(model="gpt-5", messages=HELLO)


def test_litellm_leaks_the_end_of_a_wrong_key_as_the_real_one_does(box: Sandbox, transport: httpx2.Client) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        sdk(box, "litellm", transport, "sk-secret-7WXY").responses.create(model="gpt-5", input="x")

    assert "sk-...7WXY" in caught.value.message
    assert "sk-secret" not in str(caught.value.body)


def test_claude_refuses_a_wrong_key(box: Sandbox, transport: httpx2.Client) -> None:
    with pytest.raises(anthropic.AuthenticationError):
        claude(box, transport, "wrong").messages.create(model="c", max_tokens=9, messages=HELLO)


@pytest.mark.parametrize(
    ("role", "path", "headers", "status"),
    [
        ("azure", "/openai/v1/models", {"api-key": "K"}, 200),
        ("azure", "/openai/v1/models", {"authorization": "Bearer K"}, 200),
        ("azure", "/openai/v1/models", {"authorization": "K"}, 401),
        ("azure", "/openai/v1/models", {}, 401),
        ("litellm", "/v1/models", {"x-litellm-api-key": "Bearer K"}, 200),
        ("litellm", "/v1/models", {"authorization": "K"}, 401),
        ("litellm", "/health/readiness", {}, 200),
        ("litellm", "/health", {}, 401),
        ("openai", "/v1/models", {"api-key": "K"}, 401),
        ("anthropic", "/v1/models", {"x-api-key": "K"}, 200),
    ],
)
def test_keys_are_taken_where_the_role_looks_for_them(
    role: Any, path: str, headers: dict[str, str], status: int
) -> None:
    with Sandbox(api_key="K") as box:
        assert httpx2.get(box.url(role) + path, headers=headers).status_code == status


# What Azure refuses


def post(box: Sandbox, path: str, body: dict[str, Any], **query: str) -> httpx2.Response:
    return httpx2.post(box.azure_url + path, json=body, params=query, headers={"api-key": box.api_key})


CHAT: dict[str, Any] = {"model": "gpt-5", "messages": HELLO}
DATED = "/openai/deployments/{}/chat/completions"
RULES: list[tuple[str, str, dict[str, Any], dict[str, str], int, str | None]] = [
    ("v1", "/openai/v1/chat/completions", CHAT, {}, 200, None),
    ("v1 with a version", "/openai/v1/chat/completions", CHAT, VERSION, 400, "BadRequest"),
    ("dated", DATED.format("gpt-5"), {"messages": HELLO}, VERSION, 200, None),
    ("dated without a version", DATED.format("gpt-5"), CHAT, {}, 404, "404"),
    ("dated with v1 as version", DATED.format("gpt-5"), CHAT, {"api-version": "v1"}, 404, "404"),
    ("dated responses", "/openai/responses", {"model": "gpt-5", "input": "x"}, VERSION, 200, None),
    (
        "old version for responses",
        "/openai/responses",
        {"model": "gpt-5", "input": "x"},
        {"api-version": "2024-10-21"},
        400,
        "BadRequest",
    ),
    ("unknown deployment", "/openai/v1/responses", {"model": "nope", "input": "x"}, {}, 404, "DeploymentNotFound"),
    ("unknown path", "/openai/v1/nope", CHAT, {}, 404, "404"),
    ("other root", "/v1/chat/completions", CHAT, {}, 404, "404"),
    (
        "codex on chat",
        "/openai/v1/chat/completions",
        {**CHAT, "model": "gpt-5-codex"},
        {},
        400,
        "OperationNotSupported",
    ),
    ("pro on chat", "/openai/v1/chat/completions", {**CHAT, "model": "gpt-5-pro"}, {}, 400, "OperationNotSupported"),
    ("codex on responses", "/openai/v1/responses", {"model": "gpt-5-codex", "input": "x"}, {}, 200, None),
    (
        "embeddings model on chat",
        "/openai/v1/chat/completions",
        {**CHAT, "model": "text-embedding-3-small"},
        {},
        400,
        "OperationNotSupported",
    ),
    ("max_tokens", "/openai/v1/chat/completions", {**CHAT, "max_tokens": 9}, {}, 400, "unsupported_parameter"),
    (
        "max_tokens, not reasoning",
        "/openai/v1/chat/completions",
        {**CHAT, "model": "gpt-5-chat", "max_tokens": 9},
        {},
        200,
        None,
    ),
    ("temperature", "/openai/v1/chat/completions", {**CHAT, "temperature": 0.1}, {}, 400, "unsupported_value"),
    ("default temperature", "/openai/v1/chat/completions", {**CHAT, "temperature": 1}, {}, 200, None),
    (
        "5.4 with tools",
        "/openai/v1/chat/completions",
        {**CHAT, "model": "gpt-5.4", "tools": [TOOL], "reasoning_effort": "low"},
        {},
        400,
        None,
    ),
    (
        "5.4 with tools, no effort",
        "/openai/v1/chat/completions",
        {**CHAT, "model": "gpt-5.4", "tools": [TOOL], "reasoning_effort": "none"},
        {},
        200,
        None,
    ),
    ("5 with tools", "/openai/v1/chat/completions", {**CHAT, "tools": [TOOL]}, {}, 200, None),
    ("no messages", "/openai/v1/chat/completions", {"model": "gpt-5"}, {}, 400, "missing_required_parameter"),
    ("no input", "/openai/v1/responses", {"model": "gpt-5"}, {}, 400, "missing_required_parameter"),
]


@pytest.mark.parametrize(
    ("path", "body", "query", "status", "code"), [row[1:] for row in RULES], ids=[row[0] for row in RULES]
)
def test_azure_keeps_its_rules(
    box: Sandbox, path: str, body: dict[str, Any], query: dict[str, str], status: int, code: str | None
) -> None:
    reply = post(box, path, body, **query)

    assert (reply.status_code, (reply.json().get("error") or {}).get("code")) == (status, code)


def test_rules_follow_the_base_model_and_not_the_name_of_the_deployment() -> None:
    with Sandbox(deployments={"prod": "gpt-5-codex", "gpt-5-codex": "gpt-4o"}) as box:
        refused = post(box, "/openai/v1/chat/completions", {**CHAT, "model": "prod"})
        served = post(box, "/openai/v1/chat/completions", {**CHAT, "model": "gpt-5-codex"})
        answered = post(box, "/openai/v1/responses", {"model": "prod", "input": "x"})

    assert refused.json()["error"]["code"] == "OperationNotSupported"
    assert served.json()["model"] == "gpt-4o-2024-11-20"
    assert answered.json()["model"] == "prod"
    assert answered.headers["x-ms-served-model"].startswith("gpt-5-codex")


def test_a_deployments_name_may_need_quoting() -> None:
    with Sandbox(deployments={"a/b c": "gpt-4o"}) as box:
        client = openai.AzureOpenAI(
            azure_endpoint=box.azure_url, api_key=box.api_key, api_version="2024-10-21", max_retries=0
        )
        completion = client.chat.completions.create(model="a/b c", messages=HELLO)

    assert "as a/b c." in (completion.choices[0].message.content or "")


# Malformed requests and unknown paths, in every role


@pytest.mark.parametrize(
    ("role", "path"),
    [
        ("litellm", "/v1/chat/completions"),
        ("litellm", "/v1/responses"),
        ("azure", "/openai/v1/responses"),
        ("openai", "/v1/chat/completions"),
        ("openai", "/v1/embeddings"),
        ("anthropic", "/v1/messages"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"x"', b'{"model": "gpt-5"}', b"[" * 100_000])
def test_a_malformed_request_gets_the_roles_400(
    box: Sandbox, transport: httpx2.Client, role: Any, path: str, content: bytes
) -> None:
    headers = {"authorization": f"Bearer {box.api_key}", "content-type": "application/json"}
    reply = httpx2.post(box.url(role) + path, content=content, headers=headers)

    error = reply.json()["error"]
    assert reply.status_code == 400
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert ("code" in error) == (role != "anthropic")


@pytest.mark.parametrize("role", ["litellm", "azure", "openai", "anthropic"])
def test_an_unknown_path_gets_the_roles_404(box: Sandbox, role: Any) -> None:
    reply = httpx2.post(f"{box.url(role)}/v1/nope", json={}, headers={"authorization": f"Bearer {box.api_key}"})

    assert reply.status_code == 404
    assert box.hits(f"{role}/other") == 1
    assert ("detail" in reply.json()) == (role == "litellm")


@pytest.mark.parametrize(("role", "status"), [("litellm", 400), ("openai", 404), ("anthropic", 404)])
def test_models_that_are_not_served_get_the_roles_error(role: Any, status: int) -> None:
    path = "/v1/messages" if role == "anthropic" else "/v1/chat/completions"
    with Sandbox(models=["known"]) as box:
        replies = {
            model: httpx2.post(
                box.url(role) + path,
                json={"model": model, "messages": HELLO, "max_tokens": 9},
                headers={"authorization": f"Bearer {box.api_key}"},
            )
            for model in ("known", "unknown")
        }

    assert replies["known"].status_code == 200
    assert replies["unknown"].status_code == status
    assert "unknown" in replies["unknown"].json()["error"]["message"]

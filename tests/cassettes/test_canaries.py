"""Unique fake secrets in every place where one can stand: none of them reaches the bytes of a cassette."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from canaries import Canaries
from cassette_origin import JSON, SSE, Answer, Origin
from parrot import Parrot, Saying
from secret_calls import KEYS, MODEL, WORDS, chat, made, settings_at

from chatsheet_llm import AuthenticationError, CallError, ChatClient, Settings
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.testing import CassetteError, use_cassette

REQUEST_HEADERS = (
    "Authorization", "api-key", "Ocp-Apim-Subscription-Key", "x-api-key", "x-litellm-api-key", "x-litellm-tags",
    "x-litellm-customer-id", "Cookie", "x-tenant", "OpenAI-Organization", "OpenAI-Project", "Idempotency-Key",
    "User-Agent", "x-stainless-os", "traceparent", "Referer",
)  # fmt: skip
RESPONSE_HEADERS = (
    "openai-organization", "openai-project", "Set-Cookie", "x-ms-client-request-id", "x-ms-region", "x-ms-served-model",
    "apim-request-id", "x-request-id", "x-litellm-call-id", "x-litellm-model-id", "x-litellm-key-spend",
    "x-litellm-key-alias", "www-authenticate", "server", "via", "cf-ray", "llm_provider-x-request-id",
)  # fmt: skip


@pytest.fixture
def through_proxy(origin: Origin) -> Iterator[tuple[Canaries, httpx2.Client]]:
    """A client whose HTTP proxy is the origin: so a request can name any host, and has proxy credentials."""
    canaries = Canaries()
    password = canaries.plant("proxy password")
    url = origin.url.replace("http://", f"http://user:{password}@")
    with httpx2.Client(proxy=url, trust_env=False) as client:
        yield canaries, client


def test_nothing_of_a_request_but_its_prompt_is_kept(
    origin: Origin, through_proxy: tuple[Canaries, httpx2.Client], tmp_path: Path
) -> None:
    canaries, client = through_proxy
    plant = canaries.plant
    path = tmp_path / "tape.yaml"
    url = (
        f"http://{plant('URI user')}:{plant('URI password')}@{plant('URI host')}.corp.internal:8443/"
        f"{plant('path before the API')}/openai/v1/responses?api-version=2025-04-01-preview"
        f"&sig={plant('query sig', 'a%2Fb{}')}&subscription-key={plant('query key')}&sv={plant('query other')}"
    )
    body = {
        "model": "gpt-5",
        "input": [
            {"role": "user", "content": plant("prompt")},
            {"type": "reasoning", "encrypted_content": plant("sealed state")},
        ],
        "user": plant("user"),
        "safety_identifier": plant("safety identifier"),
        "prompt_cache_key": plant("prompt cache key"),
        "metadata": {"ticket": plant("metadata"), "user_id": plant("user in the metadata")},
        "api_key": plant("api_key in the body"),
        "api_base": f"https://{plant('api_base in the body')}.internal",
        "extra_headers": {"x": plant("extra_headers in the body")},
        "tools": [
            {
                "type": "mcp",
                "server_label": "wiki",
                "server_url": f"https://{plant('MCP host')}.internal/mcp?key={plant('MCP query')}",
                "headers": {"Authorization": f"Bearer {plant('MCP headers')}"},
                "authorization": plant("MCP authorization"),
            }
        ],
        "mcp_servers": [{"type": "url", "url": "https://a.b", "authorization_token": plant("Anthropic MCP token")}],
        "data_sources": [
            {
                "type": "azure_search",
                "parameters": {
                    "endpoint": f"https://{plant('search host')}.search.windows.net",
                    "authentication": {"type": "api_key", "key": plant("search key")},
                    "embedding_dependency": {"authentication": {"type": "api_key", "key": plant("embedding key")}},
                },
            }
        ],
    }
    headers = {name: plant(f"request header {name}") for name in REQUEST_HEADERS}
    headers["Authorization"] = f"Bearer {headers['Authorization']}"
    with use_cassette(path, "rewrite"):
        assert client.post(url, json=body, headers=headers).status_code == 200

    written = path.read_bytes()
    assert canaries.found_in(written) == ["prompt"]
    assert b"127.0.0.1" not in written
    assert b"server_label: wiki" in written


def test_nothing_of_a_reply_but_its_answer_is_kept(origin: Origin, tmp_path: Path) -> None:
    canaries = Canaries()
    plant = canaries.plant
    path = tmp_path / "tape.yaml"
    key = plant("key", "k+/={}")
    upstream = f"{plant('address behind the proxy')}.internal:4000"
    headers = (
        JSON,
        ("content-encoding", "gzip"),
        ("x-litellm-model-api-base", f"http://{upstream}/v1"),
        *((name, plant(f"response header {name}")) for name in RESPONSE_HEADERS),
    )
    body = {
        "id": plant("response id", "resp_{}"),
        "output": [{"id": plant("item id", "msg_{}"), "content": plant("answer")}],
        "encrypted_content": plant("sealed state"),
        "user": plant("user"),
        "metadata": {"ticket": plant("metadata")},
        "tools": [{"type": "mcp", "headers": {"Authorization": plant("MCP headers, echoed")}}],
        "said": f"{key} {quote(key, safe='')} {base64.b64encode(key.encode()).decode()} from {upstream} {origin.url}",
    }
    origin.answers = [Answer(200, headers, gzip.compress(json.dumps(body).encode()))]
    with use_cassette(path, "rewrite"), httpx2.Client(trust_env=False) as client:
        got = client.post(f"{origin.url}/v1/responses", json={}, headers={"authorization": f"Bearer {key}"})

    assert got.json() == body
    assert canaries.found_in(path.read_bytes()) == ["answer"]
    assert b"127.0.0.1" not in path.read_bytes()


@pytest.mark.parametrize("kind", ["json", "text", "event"])
def test_an_error_loses_fragments_of_keys_their_hashes_and_guids(origin: Origin, kind: str, tmp_path: Path) -> None:
    canaries = Canaries()
    path = tmp_path / "tape.yaml"
    digest = secrets.token_hex(32)
    said = (
        f"Incorrect API key provided: {canaries.plant('key')}. Received API Key = sk-...{canaries.plant('end')}, "
        f"Key Hash (Token) ={digest}. also {canaries.plant('start')}****{canaries.plant('tail')}, "
        f"principal {canaries.guid('principal')} of tenant {canaries.guid('tenant')}, Bearer {canaries.plant('token')}"
    )
    error = {"error": {"message": said, "type": "auth_error", "code": "401"}}
    origin.answers = [
        {
            "json": Answer(401, (JSON,), json.dumps(error).encode()),
            "text": Answer(401, (("content-type", "text/plain"),), said.encode()),
            "event": Answer(200, (SSE,), b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"),
        }[kind]
    ]
    with use_cassette(path, "rewrite"), httpx2.Client(trust_env=False) as client:
        client.post(f"{origin.url}/v1/responses", json={})

    written = path.read_text()
    assert canaries.found_in(written.encode()) == []
    assert digest not in written
    assert "Incorrect API key provided" in written


@pytest.mark.parametrize("endpoint", ["litellm", "azure"])
def test_a_refused_key_of_a_client_is_not_in_its_cassette(endpoint: str, tmp_path: Path) -> None:
    canaries = Canaries()
    key = canaries.plant("key", "sk-{}")
    path = tmp_path / "tape.yaml"
    with Sandbox() as box:
        settings = Settings(
            _env_file=None,
            litellm_base_url=box.litellm_url,
            litellm_api_key=key,
            azure_openai_endpoint=box.azure_url,
            azure_openai_api_key=key,
        )
        client = ChatClient(settings, chain=[f"{endpoint}/chat"])
        with use_cassette(path, "rewrite"), pytest.raises(AuthenticationError):
            client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello"}])
        client.close()

    written = path.read_text()
    assert canaries.found_in(written.encode()) == []
    assert key[-4:] not in written
    assert "status: 401" in written


def test_a_key_with_characters_that_json_escapes_is_found_in_a_stream(origin: Origin, tmp_path: Path) -> None:
    key = 'quoted"and\\escaped-key'
    path = tmp_path / "tape.yaml"
    origin.answers = [Answer(200, (SSE,), f"data: {json.dumps({'said': key})}\n\n".encode())]
    with use_cassette(path, "rewrite"), httpx2.Client(trust_env=False) as client:
        client.post(f"{origin.url}/v1/responses", json={}, headers={"api-key": key})

    assert 'data: {"said": "[removed]"}' in path.read_text()


def test_a_cassette_that_would_hold_a_credential_all_the_same_is_not_written(origin: Origin, tmp_path: Path) -> None:
    key = "a-key-that-names-a-field"
    path = tmp_path / "tape.yaml"
    origin.answers = [Answer(200, (JSON,), json.dumps({key: 1}).encode())]

    def record() -> None:
        with use_cassette(path, "rewrite"), httpx2.Client(trust_env=False) as client:
            client.post(f"{origin.url}/v1/responses", json={}, headers={"api-key": key})

    with pytest.raises(CassetteError, match="a credential or an address"):
        record()
    assert not path.exists()


@pytest.mark.parametrize("before", range(3))
def test_a_key_within_binary_content_keeps_the_cassette_from_being_written(
    origin: Origin, before: int, tmp_path: Path
) -> None:
    key = "a-key-that-a-picture-holds"
    path = tmp_path / "tape.yaml"
    origin.answers = [Answer(200, (("content-type", "image/png"),), b"\xff" * (before + 1) + key.encode() + b"\xfe")]

    def record() -> None:
        with use_cassette(path, "rewrite"), httpx2.Client(trust_env=False) as client:
            client.get(f"{origin.url}/v1/files/f/content", headers={"api-key": key})

    with pytest.raises(CassetteError, match="a credential or an address"):
        record()
    assert not path.exists()


@pytest.mark.parametrize("endpoint", ["litellm", "azure", "openai", "anthropic"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_a_server_repeats_of_a_request_is_not_in_its_cassette(endpoint: str, stream: bool, tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    with Parrot() as parrot:
        client = made("sync", settings_at(lambda role: parrot.url, endpoint))
        parrot.saying = Saying(400, {"code": "invalid_value"}) if not stream else Saying(200, {"type": "x"}, stream="")
        with use_cassette(path, "rewrite"), pytest.raises(CallError):
            chat(client, MODEL[endpoint], stream=stream)
        client.close()

    assert KEYS.found_in(parrot.heard[0].everything) != []
    assert KEYS.found_in(path.read_bytes()) == []
    assert not {"user", "metadata", "header of the call"} & set(WORDS.found_in(path.read_bytes()))

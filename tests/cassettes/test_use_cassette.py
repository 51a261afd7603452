"""What a cassette answers, what it refuses, and when it is written."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.request
import zlib
from pathlib import Path

import httpx2
import openai
import pytest
from cassette_origin import JSON, Answer, Origin

from chatsheet_llm import ChatClient, Settings
from chatsheet_llm.testing import CassetteError, CassetteMiss, SocketRefused, use_cassette

CLOSED = "http://127.0.0.1:9"


def post(url: str, body: object = None, headers: dict[str, str] | None = None) -> httpx2.Response:
    with httpx2.Client(trust_env=False) as client:
        return client.post(url, json={} if body is None else body, headers=headers)


def said(word: str, *headers: tuple[str, str]) -> Answer:
    return Answer(200, (JSON, *headers), json.dumps({"said": word}).encode())


@pytest.fixture
def tape(origin: Origin, tmp_path: Path) -> Path:
    """A cassette of two different answers to the same request."""
    path = tmp_path / "tape.yaml"
    origin.answers = [said("one"), said("two")]
    with use_cassette(path, "rewrite"):
        post(f"{origin.url}/v1/responses?api-version=1&limit=5", {"input": "Hi"})
        post(f"{origin.url}/v1/responses?api-version=1&limit=5", {"input": "Hi"})
    return path


def test_equal_requests_get_their_answers_in_the_order_of_the_recording(tape: Path) -> None:
    with use_cassette(tape) as cassette:
        words = [post(f"{CLOSED}/v1/responses?limit=5", {"input": "Hi"}).json()["said"] for _ in range(2)]

    assert words == ["one", "two"]
    assert cassette.requests == ["POST https://openai.example.invalid/v1/responses?limit=5"] * 2


@pytest.mark.parametrize(
    ("url", "body", "headers"),
    [
        ("http://127.0.0.1:10/v1/responses?limit=5", {"input": "Hi"}, {}),
        ("https://api.openai.com/v1/responses?limit=5", {"input": "Hi"}, {}),
        ("http://someone:secret@elsewhere/below/v1/responses?limit=5", {"input": "Hi"}, {}),
        (f"{CLOSED}/v1/responses?limit=5&api-version=2026-12-31", {"input": "Hi"}, {}),
        (f"{CLOSED}/v1/responses?limit=5", {"input": "Hi"}, {"authorization": "another", "x-any": "thing"}),
    ],
    ids=["port", "host", "prefix", "api-version", "headers"],
)
def test_a_request_is_known_whatever_its(
    tape: Path, url: str, body: dict[str, object], headers: dict[str, str]
) -> None:
    with use_cassette(tape, unplayed=True):
        assert post(url, body, headers).json() == {"said": "one"}


@pytest.mark.parametrize(
    ("url", "body", "headers", "differs"),
    [
        (f"{CLOSED}/v1/chat/completions?limit=5", {"input": "Hi"}, {}, "path"),
        (f"{CLOSED}/v1/responses?limit=6", {"input": "Hi"}, {}, "query"),
        (f"{CLOSED}/v1/responses?limit=5", {"input": "Ho"}, {}, "body"),
        (f"{CLOSED}/v1/responses?limit=5", {"input": "Hi"}, {"x-litellm-timeout": "9"}, "host"),
    ],
    ids=["path", "query", "body", "endpoint"],
)
def test_a_request_is_another_by_its(
    tape: Path, url: str, body: dict[str, object], headers: dict[str, str], differs: str
) -> None:
    with pytest.raises(CassetteMiss) as caught, use_cassette(tape):
        post(url, body, headers)

    message = str(caught.value)
    assert str(tape) in message
    assert "has no reply for POST https://" in message
    assert f"its {differs}" in message
    assert "--record-mode=rewrite" in message


def test_a_request_that_comes_once_too_often_is_a_miss_that_says_so(tape: Path) -> None:
    def thrice() -> None:
        with use_cassette(tape):
            for _ in range(3):
                post(f"{CLOSED}/v1/responses?limit=5", {"input": "Hi"})

    with pytest.raises(CassetteMiss, match="has been replayed already"):
        thrice()


def settings() -> Settings:
    return Settings(
        _env_file=None,
        litellm_base_url=CLOSED,
        litellm_api_key="none-at-all",
        azure_openai_endpoint="http://127.0.0.1:10",
        azure_openai_api_key="none-at-all",
    )


def test_a_miss_is_no_network_failure_that_a_chain_would_walk_past(tape: Path) -> None:
    with ChatClient(settings()) as client, pytest.raises(CassetteMiss) as caught, use_cassette(tape):
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Unheard of"}])

    assert "POST https://litellm.example.invalid/v1/chat/completions (after 0 replayed)" in str(caught.value)


async def test_a_miss_of_an_asynchronous_client_is_one_too(tape: Path) -> None:
    with pytest.raises(CassetteMiss, match="has no reply for"), use_cassette(tape):
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.post(f"{CLOSED}/v1/responses", json={"input": "Unheard of"})


def test_an_exchange_that_nobody_asked_for_fails_the_replay(tape: Path) -> None:
    with pytest.raises(CassetteError, match=r"1 exchange\(s\) that were not asked for"), use_cassette(tape):
        post(f"{CLOSED}/v1/responses?limit=5", {"input": "Hi"})


def test_what_went_wrong_in_the_block_is_what_is_raised(tape: Path) -> None:
    with pytest.raises(ZeroDivisionError), use_cassette(tape):
        _ = 1 / 0


def test_two_servers_of_a_kind_are_told_apart_by_their_names(origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    host = origin.url.removeprefix("http://")
    with use_cassette(path, "rewrite", hosts={host: "azure-north"}):
        post(f"{origin.url}/openai/v1/responses")

    with use_cassette(path, hosts={"127.0.0.1:9": "azure-north"}):
        post(f"{CLOSED}/openai/v1/responses")
    with pytest.raises(CassetteMiss, match="its host differs"), use_cassette(path, hosts={"127.0.0.1": "azure-south"}):
        post(f"{CLOSED}/openai/v1/responses")


# --- other ways out --------------------------------------------------------------------------------------------------


def test_another_library_is_refused_while_replaying(tape: Path, origin: Origin) -> None:
    with pytest.raises(SocketRefused, match=r"tape\.yaml"), use_cassette(tape):
        urllib.request.urlopen(origin.url)


def test_a_transport_that_is_not_intercepted_is_refused_while_replaying(tape: Path, origin: Origin) -> None:
    class Own(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            with socket.create_connection(("127.0.0.1", request.url.port or 80)):
                return httpx2.Response(200)

    with httpx2.Client(transport=Own()) as client, pytest.raises(SocketRefused), use_cassette(tape):
        client.get(origin.url)


async def test_connections_of_an_event_loop_are_refused_while_replaying(tape: Path, origin: Origin) -> None:
    port = int(origin.url.rpartition(":")[2])
    with pytest.raises(SocketRefused), use_cassette(tape):
        await asyncio.open_connection("127.0.0.1", port)


def test_a_host_is_not_even_looked_up_while_replaying(tape: Path) -> None:
    with pytest.raises(SocketRefused, match="'localhost'"), use_cassette(tape):
        socket.getaddrinfo("localhost", 80)


def test_a_pair_of_sockets_is_no_connection(tape: Path) -> None:
    with use_cassette(tape, unplayed=True):
        first, second = socket.socketpair()
        first.send(b"x")
        assert second.recv(1) == b"x"
    first.close()
    second.close()


def test_other_connections_may_be_allowed_and_are_open_again_afterwards(tape: Path, origin: Origin) -> None:
    with use_cassette(tape, sockets=True, unplayed=True), urllib.request.urlopen(origin.url) as allowed:
        assert allowed.status == 200
    with use_cassette(tape, unplayed=True):
        pass
    with urllib.request.urlopen(origin.url) as afterwards:
        assert afterwards.status == 200
    assert post(origin.url).status_code == 200


def test_what_another_library_sends_is_not_recorded(origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    with use_cassette(path, "rewrite"):
        urllib.request.urlopen(f"{origin.url}/health").close()
        post(f"{origin.url}/v1/responses")

    assert "/health" not in path.read_text()


def test_a_vcrpy_that_does_not_know_httpx2_is_refused(
    tape: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcr.patch.CassettePatcherBuilder._httpx2", lambda self: ())

    with pytest.raises(CassetteError, match="does not intercept httpx2"), use_cassette(tape):
        post(origin.url)


# --- recording -------------------------------------------------------------------------------------------------------


def test_once_records_what_is_not_there_and_replays_what_is(origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    recorded = []
    for url in (origin.url, CLOSED):
        with use_cassette(path, "once") as cassette:
            post(f"{url}/v1/responses")
            recorded.append(cassette.recording)

    assert recorded == [True, False]


def test_rewrite_keeps_nothing_of_the_old_cassette(tape: Path, origin: Origin) -> None:
    origin.answers = [said("three")]
    with use_cassette(tape, "rewrite"):
        post(f"{origin.url}/v1/responses", {"input": "New"})

    with use_cassette(tape) as cassette:
        assert post(f"{CLOSED}/v1/responses", {"input": "New"}).json() == {"said": "three"}
    assert len(cassette.requests) == 1


def test_a_recording_that_fails_leaves_the_old_cassette(tape: Path, origin: Origin) -> None:
    def record() -> None:
        with use_cassette(tape, "rewrite"):
            post(origin.url)
            _ = 1 / 0

    before = tape.read_bytes()
    with pytest.raises(ZeroDivisionError):
        record()

    assert tape.read_bytes() == before
    assert [file.name for file in tape.parent.iterdir()] == [tape.name]


def test_a_hop_that_gave_no_reply_cannot_be_recorded(tape: Path, origin: Origin) -> None:
    def record() -> None:
        with use_cassette(tape, "rewrite"):
            with pytest.raises(httpx2.ConnectError):
                post(f"{CLOSED}/v1/responses")
            post(f"{origin.url}/v1/responses")

    before = tape.read_bytes()
    with pytest.raises(CassetteError, match=r"POST https://openai\.example\.invalid/v1/responses had no reply"):
        record()

    assert tape.read_bytes() == before


def test_a_recording_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="nothing was sent"), use_cassette(tmp_path / "tape.yaml", "rewrite"):
        pass


def test_a_compression_that_cannot_be_undone_is_not_recorded(origin: Origin, tmp_path: Path) -> None:
    origin.answers = [Answer(200, (JSON, ("content-encoding", "lzma9")), b"\x00\x01")]

    def record() -> None:
        client = openai.OpenAI(base_url=origin.url, api_key="none-at-all", max_retries=0)
        with use_cassette(tmp_path / "tape.yaml", "rewrite"), client, pytest.raises(openai.APIConnectionError):
            client.models.list()

    with pytest.raises(CassetteError, match="lzma9"):
        record()


def test_a_compressed_reply_is_kept_as_text(origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    origin.answers = [Answer(200, (JSON, ("content-encoding", "deflate")), zlib.compress(b'{"said": "legible"}'))]
    with use_cassette(path, "rewrite"):
        assert post(f"{origin.url}/v1/responses").json() == {"said": "legible"}

    assert "said: legible" in path.read_text()
    with use_cassette(path):
        assert post(f"{CLOSED}/v1/responses").json() == {"said": "legible"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no cassette"),
        ("{", "it is no YAML"),
        ("version: 7\nexchanges: []", "no cassette of version 1"),
        (
            "version: 1\nexchanges: [{request: {}, response: {}}]",
            "the request of exchange 1 has no method, url, headers",
        ),
    ],
    ids=["missing", "broken", "version", "incomplete"],
)
def test_a_cassette_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "tape.yaml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(CassetteError) as caught, use_cassette(path):
        pass
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_mode_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="allowed are none, once and rewrite"), use_cassette(tmp_path, "all"):  # type: ignore[arg-type]
        pass

"""What the message of an error tells people to do, where that depends on more than the fault, and the URL it shows."""

from __future__ import annotations

import pickle
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from client_cases import settings_for
from either import KINDS, Either, Kind, settings_at, well
from fault_server import Fault, FaultServer, Reply

from chatsheet_llm import Settings, errors, report
from chatsheet_llm.classify import Failure, bare_url, classify_reply
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import build
from chatsheet_llm.route import Attempt, Route
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.steps import GaveUp

NOWHERE = "https://chatsheet.invalid/"
JSON = {"content-type": "application/json"}
HTTP: dict[str, type[Any]] = {"sync": httpx2.Client, "async": httpx2.AsyncClient}


class _Refusing(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


@contextmanager
def plain() -> Iterator[int]:
    """The port of a server that answers a TLS handshake with HTTP, as such servers do."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_path_of_a_request_that_names_no_deployment_is_not_told_as_a_deployment(
    kind: Kind, box: Sandbox
) -> None:
    for ask in (lambda it: it.get("/nope", cast_to=object), lambda it: it.post("/nope", cast_to=object, body={})):
        with Either(kind, settings_for(box)) as made, pytest.raises(errors.DeploymentNotFoundError) as caught:
            made.wait(ask(made.client))

        assert "check the path, and that the endpoint's base URL is that of its API" in str(caught.value)
        assert "new deployment" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_deployment_is_told_as_one(kind: Kind) -> None:
    with (
        FaultServer(answer=lambda *_: Reply(404, JSON, b"{}")) as server,
        Either(kind, settings_at(server.url)) as made,
        pytest.raises(errors.DeploymentNotFoundError) as caught,
    ):
        made.hello()

    assert "check the deployment's name" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_tls_to_a_server_without_it_asks_for_http(kind: Kind) -> None:
    with (
        plain() as port,
        Either(kind, settings_at(f"https://127.0.0.1:{port}")) as made,
        pytest.raises(errors.HopConnectionError) as caught,
    ):
        made.hello()

    assert "(the server does not speak TLS there: http:// instead of https://?)" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_client_says_which_of_the_two_was_closed(kind: Kind, box: Sandbox) -> None:
    given = HTTP[kind]()
    with Either(kind, settings_for(box), http_client=given) as made:
        made.wait(given.close() if kind == "sync" else given.aclose())
        with pytest.raises(errors.LocalResourceError, match=r"^the http_client that this client was given is closed"):
            made.hello()
        made.wait(made.client.close())
        with pytest.raises(errors.LocalResourceError, match=r"^this client is closed; make a new one"):
            made.hello()


REFUSED = Failure("auth", "rejected", 401, message="no key passed in")


@pytest.mark.parametrize(
    ("name", "fields", "advice"),
    [
        ("litellm", {}, "no credential is set for endpoint 'litellm': set LITELLM_API_KEY"),
        ("far", {}, "no credential is set for endpoint 'far': set CHATSHEET_ENDPOINTS__FAR__API_KEY"),
        ("litellm", {"api_key": "key"}, "check the endpoint's API key or token"),
        ("litellm", {"headers": {"x-key": "key"}}, "check the endpoint's API key or token"),
    ],
)
def test_a_refused_credential_that_nobody_set_is_told_as_that(
    name: str, fields: dict[str, object], advice: str
) -> None:
    endpoint = build(name, EndpointSettings(kind="litellm", base_url="http://one.test", **fields))  # type: ignore[arg-type]
    route = Route((Attempt(f"{name}/chat", name, "chat", "gpt-5", "rule", "auth", "rejected", 401),))
    error = report.ended(GaveUp(REFUSED), route, {name: endpoint})

    assert f"the credential was refused: no key passed in ({advice}) [" in str(error)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://one.test/v1/chat/completions", "https://one.test/v1/chat/completions"),
        ("https://somebody:canary@one.test:8443/v1?key=canary#canary", "https://one.test:8443/v1"),
        (httpx2.URL("https://one.test/openai/responses?api-version=preview"), "https://one.test/openai/responses"),
        ("https://one.test/sk-canary1234/v1", "https://one.test/sk-[redacted]/v1"),
        ("https://one.test/v1/https://somebody:canary@two.test/", "https://one.test/v1/https://two.test/"),
        (None, None),
    ],
    ids=str,
)
def test_of_a_url_neither_query_nor_user_is_kept(url: object, shown: str | None) -> None:
    assert bare_url(url) == shown


def test_an_error_shows_where_the_attempt_went_and_so_does_its_copy() -> None:
    failure = classify_reply(500, {}, b"{}", url="https://one.test/v1/chat/completions?key=canary")
    error = report.error_for(failure, Route())
    again = pickle.loads(pickle.dumps(error))

    shown = {str(url) for each in (error, again) for url in (each.request.url, each.response.request.url)}
    assert shown == {"https://one.test/v1/chat/completions"}
    assert str(report.error_for(classify_reply(500, {}, b"{}"), Route()).request.url) == NOWHERE


@pytest.mark.parametrize("fault", ["down", "close", "html_200", "empty_200", "short_length"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_no_answer_shows_where_the_attempt_went(kind: Kind, fault: str) -> None:
    with FaultServer(answer=well) as server:
        server.set(Fault(fault))
        with Either(kind, settings_at(server.url)) as made, pytest.raises(errors.CallError) as caught:
            made.hello(extra_query={"key": "canary"})

    assert str(caught.value.request.url) == f"{server.url}/v1/chat/completions"
    assert str(caught.value.response.request.url) == f"{server.url}/v1/chat/completions"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_shows_where_the_attempt_went(kind: Kind, status: int) -> None:
    with FaultServer(answer=lambda *_: Reply(status, JSON, b"{}")) as server:
        url = f"{server.url}/v1/chat/completions"
        with Either(kind, settings_at(server.url), max_retries=0) as made, pytest.raises(errors.CallError) as caught:
            made.hello(extra_query={"key": "canary"})

    assert [str(each.url) for each in (caught.value.request, caught.value.response.request)] == [url, url]


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_is_told_which_variable_to_set_where_no_credential_is(kind: Kind, box: Sandbox) -> None:
    settings = settings_for(box, litellm_api_key=None)
    with Either(kind, settings, chain="litellm") as made, pytest.raises(errors.AuthenticationError) as caught:
        made.hello()

    assert "(no credential is set for endpoint 'litellm': set LITELLM_API_KEY)" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_is_called_as_the_key_is_no_hindrance(kind: Kind) -> None:
    with FaultServer(answer=lambda *_: Reply(401, JSON, b"{}")) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        endpoints = {"one": {"kind": "openai", "base_url": f"{url}/v1", "api_key": "localhost", "modes": ["chat"]}}
        settings = Settings(_env_file=None, endpoints=endpoints, chain="one")
        with Either(kind, settings) as made, pytest.raises(errors.AuthenticationError) as caught:
            made.hello()

    assert str(caught.value.request.url) == f"{url}/v1/chat/completions"


def test_an_identity_without_a_role_is_told_which_to_give() -> None:
    body = {"error": {"code": "PermissionDenied", "message": "Principal does not have access to API/Operation."}}
    failure = classify_reply(401, {}, body)

    assert "Cognitive Services OpenAI User" in str(report.error_for(failure, Route()))

"""Classification of exceptions, each to its fault; and what others wrote loses its credentials."""

from __future__ import annotations

import json
import socket
import ssl

import anthropic
import httpx2
import openai
import pytest

from chatsheet_llm.classify import Failure, classify_exception, classify_reply
from chatsheet_llm.network import ProxyTimeout, ProxyUnreachable
from chatsheet_llm.redact import redact

# --- exceptions


def raised(error: BaseException, *causes: BaseException) -> BaseException:
    """The error with its chain of causes, outermost first."""
    link = error
    for cause in causes:
        link.__cause__ = cause
        link = cause
    return error


REQUEST = httpx2.Request("POST", "https://a.example/v1")
SDK = openai.APIConnectionError(request=REQUEST)

EXCEPTIONS: list[tuple[BaseException, str, str]] = [
    (raised(SDK, httpx2.ConnectError("x"), socket.gaierror(-2, "Name or service not known")), "dns", "not_sent"),
    (
        raised(httpx2.ConnectError("x"), socket.gaierror(-3, "Temporary failure in name resolution")),
        "dns_busy",
        "not_sent",
    ),
    (raised(httpx2.ConnectError("the name x did not resolve: [Errno -5] No such host")), "dns", "not_sent"),
    (httpx2.ConnectError("[Errno -2] Name or service not known"), "dns", "not_sent"),
    (httpx2.ConnectError("[Errno 11001] getaddrinfo failed"), "dns", "not_sent"),
    (raised(httpx2.ConnectError("x"), ConnectionRefusedError(111, "refused")), "refused", "not_sent"),
    (httpx2.ConnectError("[Errno 111] Connection refused"), "refused", "not_sent"),
    (httpx2.ConnectError("All connection attempts failed"), "connect", "not_sent"),
    (raised(httpx2.ConnectError("x"), ssl.SSLCertVerificationError("self-signed")), "tls_trust", "not_sent"),
    (httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "tls_trust", "not_sent"),
    (httpx2.ConnectError("EOF occurred in violation of protocol"), "connect", "not_sent"),
    (httpx2.ConnectTimeout("x"), "connect_timeout", "not_sent"),
    (httpx2.ProxyError("407 Proxy Authentication Required"), "proxy", "not_sent"),
    (httpx2.ProxyError("Proxy Server could not connect: Connection refused."), "proxy_failed", "not_sent"),
    (httpx2.ProxyError("Invalid username/password"), "proxy", "not_sent"),
    (ProxyUnreachable("proxy.test:3128, set by HTTPS_PROXY: refused"), "proxy_failed", "not_sent"),
    (ProxyTimeout("proxy.test:3128, set by HTTPS_PROXY"), "proxy_timeout", "not_sent"),
    (httpx2.PoolTimeout("x"), "pool", "not_sent"),
    (httpx2.WriteTimeout("x"), "write_timeout", "ambiguous"),
    (httpx2.ReadTimeout("x"), "read_timeout", "ambiguous"),
    (httpx2.ReadError("x"), "reset", "ambiguous"),
    (httpx2.WriteError("x"), "reset", "ambiguous"),
    (httpx2.RemoteProtocolError("peer closed connection"), "reset", "ambiguous"),
    (httpx2.LocalProtocolError("Illegal header value"), "encode", "not_sent"),
    (httpx2.DecodingError("x"), "garbage", "ambiguous"),
    (UnicodeEncodeError("ascii", "ä", 0, 1, "no"), "encode", "not_sent"),
    (UnicodeEncodeError("utf-8", '{"user":"\ud800"}', 9, 10, "no"), "unsendable", "not_sent"),
    (json.JSONDecodeError("x", "", 0), "garbage", "ambiguous"),
    (raised(openai.APITimeoutError(REQUEST), httpx2.ReadTimeout("x")), "read_timeout", "ambiguous"),
    (raised(openai.APITimeoutError(REQUEST), httpx2.PoolTimeout("x")), "pool", "not_sent"),
    (SDK.__class__(request=REQUEST), "reset", "ambiguous"),
    (
        raised(anthropic.APIConnectionError(request=REQUEST), httpx2.ConnectError("Connection refused")),
        "refused",
        "not_sent",
    ),
    (raised(anthropic.APITimeoutError(REQUEST), httpx2.ReadTimeout("x")), "read_timeout", "ambiguous"),
]


@pytest.mark.parametrize(("error", "fault", "state"), EXCEPTIONS, ids=repr)
def test_an_exception_is_named_by_what_is_behind_it(error: BaseException, fault: str, state: str) -> None:
    failure = classify_exception(error)

    assert failure is not None
    assert (failure.fault, failure.send_state) == (fault, state)


@pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), RuntimeError("x"), ZeroDivisionError()], ids=repr)
def test_a_bug_is_no_fault_of_a_hop(error: Exception) -> None:
    assert classify_exception(error) is None


def test_what_the_caller_was_handling_is_not_what_happened() -> None:
    error: Exception | None = None
    try:
        raise ssl.SSLCertVerificationError("of something else entirely")
    except ssl.SSLCertVerificationError:
        try:
            raise httpx2.ReadError("reset")
        except httpx2.ReadError as caught:
            error = caught
    assert error.__context__ is not None

    failure = classify_exception(error)

    assert failure is not None
    assert failure.fault == "reset"


def test_a_circle_of_causes_ends() -> None:
    one, other = ValueError("a"), ValueError("b")
    one.__cause__, other.__cause__ = other, one

    assert classify_exception(one) is None


def test_what_could_not_be_encoded_is_not_repeated() -> None:
    failure = classify_exception(httpx2.LocalProtocolError("Illegal header value b'Bearer sk-planted-key'"))

    assert failure is not None
    assert "planted" not in repr(failure)


# --- secrets


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Incorrect API key provided: sk-abcd1234****wxyz.", "Incorrect API key provided"),
        ("Received API Key = sk-...ITlA, Key Hash (Token) =5ea4deadbeef. Unable to find token", "Unable to find token"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization"),
        ("hash " + "0a" * 32 + " end", "end"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig here", "here"),
        ("failed Traceback (most recent call last):\n  File '/app/x.py', line 3", "failed"),
    ],
)
def test_credentials_are_taken_out_of_what_others_wrote(text: str, kept: str) -> None:
    clean = redact(text)

    assert kept in clean
    for secret in ("abcd1234", "ITlA", "5ea4deadbeef", "abcdefgh12345678", "0a0a0a", "eyJhbGci", "/app/x.py"):
        assert secret not in clean


def test_bodies_are_redacted_as_deep_as_they_go() -> None:
    body = {"error": {"message": "no", "details": [{"key": "sk-planted-key-1234"}]}}

    failure = classify_reply(401, {}, json.dumps(body).encode())

    assert "planted" not in repr(failure)


def test_a_failure_says_what_happened_and_what_was_said() -> None:
    assert Failure("rate", "rejected", 429, message="slow").sentence == "the rate limit was reached: slow"
    assert Failure("rate", "rejected", 429).sentence == "the rate limit was reached"

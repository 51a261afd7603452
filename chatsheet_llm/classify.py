"""Name the fault behind a reply, a stream event or an exception: structured fields first, text last.  Does no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from chatsheet_llm.classify_unsendable import unsendable
from chatsheet_llm.faults import BY_CODE, BY_PARAM, BY_STATUS, BY_TEXT, BY_TYPE_ALONE, FAULTS, NOT_FOUND, Fault
from chatsheet_llm.hints import hint_in_text
from chatsheet_llm.hints import retry_after as retry_after
from chatsheet_llm.redact import redact as redact
from chatsheet_llm.redact import redacted
from chatsheet_llm.route import Mode, SendState

_SAFE_HEADERS = re.compile(
    r"(retry-after|x-ratelimit-|anthropic-ratelimit-|x-request-id|apim-request-id|request-id|x-ms-region|x-should-retry"
    r"|content-type|date$|llm_provider-retry-after|x-litellm-call-id)",
    re.IGNORECASE,
)
_LONGEST_MESSAGE = 600
_USER = re.compile(r"//[^/@]*@")
_PLACE = re.compile(r"[^/]*//[^/]*")


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt's failure: the row of the fault table, how far the request got, and what the provider said.

    ``retry_after`` is the server's wait hint in seconds or None.  ``body`` is the provider's own error body with
    credentials redacted.  ``headers`` holds an allow-listed subset.
    """

    fault: str
    send_state: SendState
    status: int | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    message: str | None = None
    retry_after: float | None = None
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    mode: Mode | None = None
    """The API that failed, where it is known."""
    blames: bool = True
    """Whether the failure domain is to blame: not where the caller gave the attempt hardly any time."""
    taught: bool = False
    """Whether it was remembered what it says of the deployment, so that its failure domain need not be shut for it."""
    url: str | None = None
    """Where the attempt went, or was to go, without query and user; None where that is not known."""

    def without(self, secrets: Collection[str]) -> Failure:
        """Return the failure without these texts in anything that the provider said."""
        message = redact(self.message, secrets) if self.message else self.message
        url = _redacted_path(self.url, secrets) if self.url else self.url
        return replace(self, message=message, body=redacted(self.body, secrets), url=url)

    @property
    def row(self) -> Fault:
        """The row of the fault table."""
        return FAULTS[self.fault]

    @property
    def sentence(self) -> str:
        """What happened, in words, with the provider's own message where there is one."""
        return f"{self.row.sentence}: {self.message}" if self.message else self.row.sentence


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the provider's id for the request; Azure's front end sends only ``apim-request-id`` with many errors."""
    names = ("x-request-id", "apim-request-id", "request-id", "x-litellm-call-id")
    return next((headers[name] for name in names if headers.get(name)), None)


def bare_url(url: object) -> str | None:
    """Return a URL without its query and user, which may hold a credential; None for none."""
    # A path may hold a URL, too: that of a caller who took the client for one that goes anywhere.
    return None if url is None else _redacted_path(_USER.sub("//", re.split("[?#]", str(url), maxsplit=1)[0]))


def _redacted_path(url: str, secrets: Collection[str] = ()) -> str:
    """Return a URL without secrets in its path; its host is configured, and may be called as a key of a test is."""
    place = _PLACE.match(url)
    end = place.end() if place is not None else 0
    return url[:end] + redact(url[end:], secrets)


# --- replies -------------------------------------------------------------------------------------------------------

_STATUS_SAYS_MORE = frozenset(("server_error", status) for status in (408, 502, 503, 504, 529))
"""A generic name beside a status that is not."""
_TEXT_STATUSES = frozenset({400, 403, 404, 500})
_STATE_PARAMS = ("previous_response_id", "file", "conversation", "response_id", "container")
_REFUSALS = frozenset(
    {"rate", "quota", "overload", "content_filter", "capability", "context_length", "auth", "forbidden"}
    | {"invalid_request", "too_large", "unknown_model", "state", "tools_on_chat", "streaming", "deployment"}
)
"""Faults that a provider names before it begins to work."""
_REJECTED = frozenset({400, 401, 402, 403, 404, 405, 407, 409, 413, 422, 425, 429, 449, 501})


def classify_reply(
    status: int,
    headers: Mapping[str, str],
    body: bytes | str | object,
    *,
    now: datetime | None = None,
    url: object = None,
) -> Failure:
    """Name the fault of a complete HTTP reply that is not a success.  ``body`` is the raw text or the parsed JSON."""
    parsed, text = _parsed(body)
    error = _error_object(parsed)
    fault = _fault_of(status, error, text, headers)
    hint = retry_after(headers, now or datetime.now(timezone.utc))
    if hint is None:
        hint = hint_in_text(_text_field(error, "message")) if fault in ("rate", "overload") else None
    rejected = status in _REJECTED or status in (503, 529) or 300 <= status < 400 or fault in _REFUSALS
    state: SendState = "rejected" if rejected else "ambiguous"
    return replace(_failure(fault, state, status, headers, error, parsed, text, hint), url=bare_url(url))


def classify_event(event: Mapping[str, object], headers: Mapping[str, str], *, content_seen: bool) -> Failure:
    """Name the fault in a stream's error event: chat ``{"error": …}``, Responses ``error`` or ``response.failed``,
    Anthropic ``error``.  The HTTP status was 200, so only the fields tell.
    """
    error = event_error(event)
    fault = _named(error, json.dumps(error))
    if fault is None:
        status = _int(error.get("code")) or _int(error.get("status_code")) or 0
        fault = BY_STATUS.get(status) or BY_TYPE_ALONE.get(str(error.get("type"))) or "stream_error"
    # "No content" means the provider refused to start; anything later may have been billed.
    state: SendState = "committed" if content_seen else "rejected" if fault in _REFUSALS else "ambiguous"
    hint = retry_after(headers, datetime.now(timezone.utc))
    failure = _failure(fault, state, 200, headers, error, {"error": error}, "", hint)
    return replace(failure, request_id=failure.request_id or _text_field(event, "request_id"))


def event_error(event: Mapping[str, object]) -> Mapping[str, object]:
    """Return the error object inside an error event of any of the formats (empty where it names none)."""
    inner: object = event.get("error")
    if event.get("type") == "response.failed":
        response = event.get("response")
        inner = response.get("error") if isinstance(response, Mapping) else None
    elif event.get("type") == "error" and not isinstance(inner, Mapping):
        inner = {key: value for key, value in event.items() if key not in ("type", "sequence_number")}
    if isinstance(inner, str):
        return {"message": inner}
    return inner if isinstance(inner, Mapping) else {}


def _fault_of(status: int, error: Mapping[str, object], text: str, headers: Mapping[str, str]) -> str:
    if 300 <= status < 400:
        return "redirect"
    fault = _named(error, text) if status in _TEXT_STATUSES else _structured(error)
    if status == 404 and any(key in str(error.get("param") or "") for key in _STATE_PARAMS):
        return "not_found"
    if status == 404 and fault is None and re.search(r"(Response|File|Conversation|item) with id", text):
        return "not_found"
    if status in (401, 403) and fault not in ("content_filter", "gateway_policy", "forbidden", "auth"):
        return BY_STATUS[status]
    if status == 413 and "html" in headers.get("content-type", ""):
        return "html"
    if status == 500 and headers.get("content-type", "").startswith("text/plain") and "Internal Server Error" in text:
        # The LiteLLM proxy without its database driver answers a missing key so.
        return fault or "server_error"
    if fault is not None and (fault, status) not in _STATUS_SAYS_MORE:
        return fault
    if status in BY_STATUS:
        return BY_STATUS[status]
    return "server_error" if status >= 500 else "invalid_request"


def _structured(error: Mapping[str, object]) -> str | None:
    inner = error.get("innererror")
    details = error.get("details")
    named = BY_PARAM.get((str(error.get("code")).lower(), str(error.get("param")).lower()))
    if named is not None:
        return named
    for value in (
        inner.get("code") if isinstance(inner, Mapping) else None,
        details.get("error_code") if isinstance(details, Mapping) else None,
        error.get("code"),
        error.get("type"),
    ):
        fault = BY_CODE.get(str(value).lower()) if isinstance(value, (str, int)) else None
        if fault is not None:
            return fault
    if error.get("type") == "not_found_error":
        said = (_text_field(error, "message") or "")[:_LONGEST_MESSAGE]
        return next((fault for pattern, fault in NOT_FOUND if pattern.match(said)), None)
    return None


def _named(error: Mapping[str, object], text: str) -> str | None:
    """Return what an error says it is: by its fields, else, or where they say no more than that it failed, by text."""
    fault = _structured(error)
    if fault not in (None, "server_error"):
        return fault
    said = _textual(text)
    if said == "capability":
        param = str(error.get("param") or "model").lower()
        # What is refused is something of the request, though the sentence is the same.
        said = said if param == "model" else "tools_on_chat" if param in _TOOLS else "invalid_request"
        if said == "tools_on_chat" and _RESPONSES_REFUSES.search(text):
            said = "invalid_request"
    return said or fault if fault is None or said in _REFUSALS else fault


_TOOLS = frozenset({"tools", "tool_choice", "functions", "function_call", "reasoning", "reasoning_effort"})
_RESPONSES_REFUSES = re.compile(r"not supported with the Responses API", re.IGNORECASE)


def _textual(text: str) -> str | None:
    return next((fault for pattern, fault in BY_TEXT if pattern.search(text)), None)


def _parsed(body: bytes | str | object) -> tuple[object, str]:
    if isinstance(body, bytes):
        body = body.decode("utf-8", errors="replace")
    if not isinstance(body, str):
        return body, json.dumps(body, default=str)
    try:
        return json.loads(body), body
    except (RecursionError, ValueError):
        return None, body


def _error_object(parsed: object) -> Mapping[str, object]:
    """Return the error object of the shapes in use: ``{"error": {…}}``, ``{"error": "text"}``, APIM's, a bare one."""
    if not isinstance(parsed, Mapping):
        return {}
    error = parsed.get("error", parsed)
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, Mapping) else {}


def _failure(
    fault: str, state: SendState, status: int, headers: Mapping[str, str], error: Mapping[str, object], parsed: object,
    text: str, hint: float | None,
) -> Failure:  # fmt: skip
    coded = error.get("details")
    details = coded if isinstance(coded, Mapping) else {}
    message = _text_field(error, "message") or (None if parsed is not None else _plain(text))
    return Failure(
        fault=fault,
        send_state=state,
        status=status,
        code=_word(error, "code") or _word(details, "error_code"),
        type=_word(error, "type"),
        param=_word(error, "param"),
        message=redact(message)[:_LONGEST_MESSAGE] if message else None,
        retry_after=hint,
        request_id=request_id(headers) or (_text_field(parsed, "request_id") if isinstance(parsed, Mapping) else None),
        headers={name: value for name, value in headers.items() if _SAFE_HEADERS.match(name)},
        body=redacted(dict(error) or parsed or text[:_LONGEST_MESSAGE] or None),
    )  # fmt: skip


def _plain(text: str) -> str | None:
    return " ".join(re.sub(r"<[^>]*>", " ", text[:4000]).split())[:200] or None


def _text_field(error: Mapping[str, object], name: str) -> str | None:
    value = error.get(name)
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "" else None


_WORD = re.compile(r"[\w.$\[\]'\"/:-]{1,120}", re.ASCII)


def _word(error: Mapping[str, object], name: str) -> str | None:
    """Return a field that holds a word or a path.  A sentence may quote the prompt, and stays in the body."""
    said = _text_field(error, name)
    return said if said is not None and _WORD.fullmatch(said) and redact(said) == said else None


def _int(value: object) -> int | None:
    try:
        number = int(value) if isinstance(value, (str, int)) else 0
    except ValueError:
        return None
    return number if 400 <= number < 600 else None


# --- exceptions ----------------------------------------------------------------------------------------------------

# By class name along the chain of causes, innermost first, so that no SDK and no HTTP library is imported here.
_BY_EXCEPTION: Mapping[str, tuple[str, SendState]] = {
    "SSLCertVerificationError": ("tls_trust", "not_sent"),
    "gaierror": ("dns", "not_sent"),
    "ConnectionRefusedError": ("refused", "not_sent"),
    "ResolverTimeout": ("dns_busy", "not_sent"),
    "ResolverFailed": ("dns_busy", "not_sent"),
    "StaleConnection": ("stale", "ambiguous"),
    "EncodedAnswer": ("encoded", "ambiguous"),
    "AnswerTooLarge": ("response_too_large", "ambiguous"),
    "NoAnswer": ("no_content", "ambiguous"),
    "ProxyError": ("proxy", "not_sent"),
    "ProxyUnreachable": ("proxy_failed", "not_sent"),
    "ProxyTimeout": ("proxy_timeout", "not_sent"),
    "PoolTimeout": ("pool", "not_sent"),
    "ConnectTimeout": ("connect_timeout", "not_sent"),
    "ConnectError": ("connect", "not_sent"),
    "WriteTimeout": ("write_timeout", "ambiguous"),
    "ReadTimeout": ("read_timeout", "ambiguous"),
    "LocalProtocolError": ("encode", "not_sent"),
    "UnicodeEncodeError": ("encode", "not_sent"),
    "UnsupportedProtocol": ("encode", "not_sent"),
    "InvalidURL": ("encode", "not_sent"),
    "ReadError": ("reset", "ambiguous"),
    "WriteError": ("reset", "ambiguous"),
    "CloseError": ("reset", "ambiguous"),
    "RemoteProtocolError": ("reset", "ambiguous"),
    "DecodingError": ("garbage", "ambiguous"),
    "JSONDecodeError": ("garbage", "ambiguous"),
    "NoToken": ("credential", "not_sent"),
    "ClientAuthenticationError": ("credential", "not_sent"),
    "CredentialUnavailableError": ("credential", "not_sent"),
    "APITimeoutError": ("read_timeout", "ambiguous"),
    "APIConnectionError": ("reset", "ambiguous"),
}
_TEXT_IN_EXCEPTION: tuple[tuple[str, str], ...] = (
    ("CERTIFICATE_VERIFY_FAILED", "tls_trust"),
    ("Name or service not known", "dns"),
    ("nodename nor servname", "dns"),
    ("Temporary failure in name resolution", "dns_busy"),
    ("No address associated with hostname", "dns"),
    ("getaddrinfo failed", "dns"),
    ("did not resolve: ", "dns"),
    ("Connection refused", "refused"),
    ("All connection attempts failed", "connect"),
)


def classify_exception(error: BaseException) -> Failure | None:
    """Name the fault behind a transport exception, or None where it is none that a hop can cause (a bug, a cancel)."""
    chain = list(_causes(error))
    names = (cls.__name__ for link in reversed(chain) for cls in type(link).__mro__)
    row = next((_BY_EXCEPTION[name] for name in names if name in _BY_EXCEPTION), None)
    if row is None:
        return None
    fault, state = row
    if fault in ("connect", "dns"):
        text = " ".join(str(link) for link in chain)
        fault = next((named for needle, named in _TEXT_IN_EXCEPTION if needle in text), fault)
    if fault == "proxy":
        # The HTTP library tells the proxy's answer as "407 Proxy Authentication Required".
        answered = re.match(r"([45])\d\d\b", str(chain[-1]))
        if answered is not None and not str(chain[-1]).startswith("407"):
            fault = "proxy_failed" if answered[1] == "5" else "proxy_denied"
        elif "could not connect" in str(chain[-1]):
            # A SOCKS proxy's answer.
            fault = "proxy_failed"
    last = chain[-1]
    if isinstance(last, UnicodeEncodeError) and last.encoding != "ascii":
        # Headers, and the credentials in them, are encoded as ASCII.
        where, message = unsendable(last)
        return Failure("unsendable", state, code="invalid_request", param=where, message=message)
    # What could not be encoded may be a key: its text stays out.
    said = None if fault == "encode" else redact(str(last))[:200] or None
    return Failure(fault=fault, send_state=state, message=said, url=_url_of(error))


def _url_of(error: BaseException) -> str | None:
    try:
        return bare_url(getattr(getattr(error, "request", None), "url", None))
    except RuntimeError:
        # The HTTP library's own way to say that there is none.
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        # Not the context: it leads to whatever the caller was handling when it made the call.
        link = link.__cause__

"""Every fault a hop can show, as one table: whose it is and what may be tried next.  Decides nothing by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "caller", "policy", "gateway_policy", "config", "rate", "overload", "transient", "protocol", "local", "deadline"
]
"""Whose fault it is: the request, the content filter, the gateway's rules, our wiring of the hop, or the provider."""

Reach = Literal["origin", "surface", "none"]
"""A failure domain: the whole resource with its credential, one API of one deployment, or neither."""

Same = Literal["no", "once", "hint"]
"""Same hop again: never, after a backoff, or when the server's wait hint has passed and no other origin is left."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row.

    ``same``: may the same hop be asked again.  ``move``: how far the next hop must be from this one; ``none`` stops the
    call.  ``condemns``: the failure domain whose breaker hears of it.  ``quarantine``: seconds for which a wiring fault
    closes that domain at once.  ``sentence`` says in a message what happened.
    """

    kind: Kind
    same: Same
    move: Reach
    condemns: Reach
    sentence: str
    quarantine: float = 0.0


FAULTS: dict[str, Fault] = {
    # before the request is on the wire
    "dns": Fault("config", "no", "origin", "origin", "the host name did not resolve"),
    "refused": Fault("transient", "once", "origin", "origin", "the connection was refused"),
    "connect": Fault("transient", "once", "origin", "origin", "no connection could be made"),
    "connect_timeout": Fault("transient", "no", "origin", "origin", "connecting timed out"),
    "tls_trust": Fault("config", "no", "origin", "origin", "the TLS certificate was not trusted", 300.0),
    "proxy": Fault("config", "no", "origin", "origin", "the HTTP proxy refused the connection", 300.0),
    "credential": Fault("config", "no", "origin", "origin", "no token could be obtained"),
    "pool": Fault("local", "no", "none", "none", "our own connection pool is exhausted"),
    "encode": Fault("local", "no", "none", "none", "the request could not be put on the wire"),
    # in flight
    "write_timeout": Fault("transient", "no", "origin", "origin", "sending the request timed out"),
    "read_timeout": Fault("transient", "no", "origin", "origin", "the provider was silent for too long"),
    "reset": Fault("transient", "no", "origin", "origin", "the connection broke"),
    # a 2xx that is no answer
    "empty": Fault("protocol", "once", "surface", "surface", "the answer was empty"),
    "html": Fault("protocol", "no", "origin", "origin", "an HTML page came instead of an answer"),
    "garbage": Fault("protocol", "once", "origin", "origin", "the answer was not valid JSON"),
    "schema": Fault("protocol", "no", "surface", "surface", "the answer had no usable content"),
    "no_stream": Fault("protocol", "no", "origin", "origin", "the answer to a streamed request was no event stream"),
    "truncated": Fault("protocol", "no", "origin", "origin", "the stream ended without its terminal event"),
    "bad_event": Fault("protocol", "no", "origin", "origin", "the stream held an event that is not valid JSON"),
    "stream_error": Fault("transient", "once", "origin", "origin", "the provider reported an error within the stream"),
    # statuses and codes
    "redirect": Fault("config", "no", "origin", "origin", "the endpoint redirects, and redirects are refused", 300.0),
    "invalid_request": Fault("caller", "no", "none", "none", "the request was refused as invalid"),
    "context_length": Fault("caller", "no", "none", "none", "the input is longer than the model's window"),
    "not_found": Fault("caller", "no", "none", "none", "something the request names does not exist"),
    "conflict": Fault("caller", "no", "none", "none", "the request conflicts with the current state"),
    "too_large": Fault("caller", "no", "none", "none", "the request body is too large"),
    "unprocessable": Fault("caller", "no", "none", "none", "the request could not be processed"),
    "content_filter": Fault("policy", "no", "none", "none", "the content filter refused the prompt"),
    "gateway_policy": Fault("gateway_policy", "no", "none", "none", "the gateway's policy refused the call"),
    "capability": Fault("config", "no", "surface", "surface", "the deployment does not serve this API", 300.0),
    "deployment": Fault("config", "no", "surface", "surface", "the endpoint knows no such deployment or path", 30.0),
    "unknown_model": Fault("config", "no", "surface", "surface", "the endpoint knows no such model", 30.0),
    "auth": Fault("config", "no", "origin", "origin", "the credential was refused", 30.0),
    "forbidden": Fault("config", "no", "origin", "origin", "access was denied", 300.0),
    "rate": Fault("rate", "hint", "origin", "origin", "the rate limit was reached"),
    "quota": Fault("rate", "no", "origin", "origin", "the quota is used up", 300.0),
    "cooldown": Fault("overload", "no", "origin", "origin", "the gateway has parked every deployment of this model"),
    "overload": Fault("overload", "hint", "origin", "origin", "the provider is overloaded"),
    "timeout_408": Fault("transient", "no", "origin", "origin", "the provider timed out"),
    "dependency": Fault("transient", "no", "origin", "surface", "something the provider depends on failed"),
    "early": Fault("transient", "once", "origin", "none", "the provider asked for the request again"),
    "client_closed": Fault("transient", "no", "origin", "none", "an intermediary closed the request"),
    "server_error": Fault("transient", "once", "origin", "origin", "the provider failed"),
    "bad_gateway": Fault("transient", "once", "origin", "origin", "a gateway got no valid answer from the provider"),
    "gateway_timeout": Fault("transient", "no", "origin", "origin", "a gateway timed out waiting for the provider"),
    "not_implemented": Fault("config", "no", "surface", "surface", "the endpoint does not implement this API", 300.0),
    "deadline": Fault("deadline", "no", "none", "none", "the deadline of the call passed"),
}
"""By fault name.  From the documented error bodies of Azure OpenAI and Anthropic, and the LiteLLM proxy as measured."""

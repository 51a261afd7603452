"""What a vector may say, as strict models; reads the files.  Runs none of them."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Literal

import yaml
from fault_server import FAULTS as SERVED
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from typing_extensions import Self

from chatsheet_llm import errors
from chatsheet_llm.faults import FAULTS, Kind
from chatsheet_llm.route import SendState

FOLDER = Path(__file__).resolve().parent
KINDS = {
    "a": "openai", "b": "openai", "c": "openai", "g": "litellm", "m": "anthropic", "n": "anthropic", "z": "azure"
}  # fmt: skip
"""Endpoints that a chain may name, and what each is: origins of their own, but for nothing else alike."""
APIS = ("chat", "responses", "messages")
ANSWERED = "answered"

UNWIRED = ("pool_timeout", "no_token", "bad_key", "odd_key", "odd_text", "write_timeout", "dns", "dns_busy")
"""What goes wrong without a server: in our own process, or in the system's resolver."""
AT_PROXY = {"proxy_down": "down", "proxy_blackhole": "blackhole"}
"""What goes wrong on the way to the HTTP proxy itself, and the fault of its server that shows it."""


class Strict(BaseModel):
    """A slip of the pen is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Attempt(Strict):
    """What comes of one send: a fault of the server by its name, a reply, or the events of a stream.

    ``ending`` is how a stream ends: properly (``end``), by a close or a reset without the end of the body, or never.
    ``<now+5>`` in a header is the HTTP date in five seconds.
    """

    fault: str | None = None
    after: int = 0
    status: int | None = None
    headers: dict[str, str] = {}
    body: dict[str, object] | list[object] | str | None = None
    events: list[dict[str, object] | str | None] | None = None
    ending: Literal["end", "close", "reset", "silence"] = "end"
    seconds: float = 0.0

    @field_validator("fault")
    @classmethod
    def in_the_server(cls, fault: str | None) -> str | None:
        if fault is not None and fault not in {*SERVED, *UNWIRED, *AT_PROXY}:
            raise ValueError(f"the fault server has no fault {fault!r}")
        return fault

    @model_validator(mode="after")
    def one_thing(self) -> Self:
        if sum(given is not None for given in (self.fault, self.status, self.events)) != 1:
            raise ValueError("an attempt says one of fault, status and events")
        if self.body is not None and self.status is None:
            raise ValueError("a body needs a status")
        if self.ending != "end" and self.events is None:
            raise ValueError("only events have an ending")
        return self


class Budget(Strict):
    """What the call may use: seconds in all and for one attempt, re-sends on one hop, and tokens left, by endpoint."""

    deadline: float = Field(default=10.0, gt=0)
    attempt: float | None = Field(default=None, gt=0)
    retries: int | None = Field(default=None, ge=0)
    tokens: dict[str, float] = {}


class Given(Strict):
    """The chain, what the call is, and what it may use.

    ``side_effects`` puts a hosted tool into the request; ``large`` makes it larger than what the kernel holds of a
    connection; ``kept`` has the first hop answer a call before, so that its
    connection is used again; ``proxies`` names the HTTP proxy of endpoints, ``boundaries`` their data boundary,
    ``allows`` the refusals of others after which they may be asked; ``calls`` is how often the call is made.
    """

    chain: list[str] = Field(min_length=1)
    budget: Budget = Budget()
    call: Literal["chat", "responses", "embeddings"] = "chat"
    stream: bool = False
    tools: bool = False
    side_effects: bool = False
    large: bool = False
    kept: bool = False
    proxies: dict[str, str] = {}
    allows: dict[str, list[Literal["context_length", "content_filter", "gateway_policy"]]] = {}
    boundaries: dict[str, str] = {}
    calls: int = Field(default=1, ge=1)

    @field_validator("chain")
    @classmethod
    def known(cls, chain: list[str]) -> list[str]:
        for entry in chain:
            name, _, api = entry.partition("/")
            if name not in KINDS or api not in ("", *APIS):
                raise ValueError(f"no such hop: {entry!r}; endpoints are {', '.join(KINDS)}")
        return chain


class Expect(Strict):
    """What must come of it.

    ``sends`` are ``HOP ok`` or ``HOP FAULT STATE``; ``waits`` seconds; ``outcome`` is ``answered`` or the class of the
    error; ``breaker`` the domains that are closed to traffic, for how many seconds or merely ``open``; ``tokens`` those
    left at endpoints that have not all; ``retry_in`` the seconds until the ``retry_at`` that the caller is told.  Of
    several calls it is the last one's.  ``truncated`` is whether the answer says that it ends at a limit of tokens.
    """

    sends: list[str] | None = None
    waits: list[float] | None = None
    outcome: str
    breaker: dict[str, float | Literal["open"]] = {}
    tokens: dict[str, float] | None = None
    retry_in: float | None = None
    partial: str | None = None
    text: str | None = None
    truncated: bool | None = None

    @field_validator("outcome")
    @classmethod
    def an_error(cls, outcome: str) -> str:
        if outcome != ANSWERED and not issubclass(getattr(errors, outcome, int), errors.ChatsheetError):
            raise ValueError(f"{outcome!r} is neither 'answered' nor an error of chatsheet_llm.errors")
        return outcome

    @field_validator("sends")
    @classmethod
    def well_said(cls, sends: list[str] | None) -> list[str] | None:
        states = "|".join(SendState.__args__)  # type: ignore[attr-defined]
        for send in sends or ():
            if not re.fullmatch(rf"\S+ (ok|[a-z_0-9]+ ({states}))", send):
                raise ValueError(f"{send!r} is not 'HOP ok' or 'HOP FAULT STATE'")
        return sends


class Case(Strict):
    """One call.  ``attempts`` replace the file's; ``then`` is what comes of every further send.

    ``sockets`` says why it cannot be driven over sockets, and which test or vector drives the fault.
    """

    given: Given
    attempts: list[Attempt] | None = None
    then: Literal["ok", "same"] = "ok"
    expect: Expect
    sockets: str | None = None

    @model_validator(mode="after")
    def whole(self) -> Self:
        if self.given.calls == 1 and (self.expect.sends is None or self.expect.waits is None):
            raise ValueError("a single call says its sends and waits")
        return self


class Vector(Strict):
    """One row of the matrix: the fault as the policy table names it, its class, what comes, and the calls."""

    rows: list[str] = Field(min_length=1)
    title: str
    fault: str | None = None
    kind: Kind | None = Field(default=None, alias="class")
    attempts: list[Attempt]
    cases: dict[str, Case] = Field(min_length=1)
    sockets: str | None = None

    @field_validator("fault")
    @classmethod
    def in_the_table(cls, fault: str | None) -> str | None:
        if fault is not None and fault not in FAULTS:
            raise ValueError(f"the policy table has no row {fault!r}")
        return fault

    @model_validator(mode="after")
    def classed(self) -> Self:
        if (self.fault is None) != (self.kind is None):
            raise ValueError("a fault and its class come together")
        return self

    def attempts_of(self, case: Case) -> list[Attempt]:
        """What comes of the sends of a case."""
        return self.attempts if case.attempts is None else case.attempts


def read(path: Path) -> Vector:
    """Read one file.  Raises ValueError that names the file and the place."""
    try:
        return Vector.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name}: {error}") from None


@functools.cache
def vectors() -> dict[str, Vector]:
    """Every vector, by the name of its file."""
    return {path.stem: read(path) for path in sorted(FOLDER.glob("*.yaml"))}


def cases() -> list[tuple[str, str]]:
    """Every case, as file and name."""
    return [(name, case) for name, vector in vectors().items() for case in vector.cases]

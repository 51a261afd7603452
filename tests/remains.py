"""Everything that a program could keep of a call: objects, errors, tracebacks with locals, logs, pickles.  As text.

A traceback is shown as the most talkative of printers do: each local, and what is in its mappings, lists, dataclasses.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import pickle
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pydantic

from chatsheet_llm import errors, route_of
from chatsheet_llm.route import Route

LOGGERS = ("chatsheet_llm", "openai", "anthropic", "httpx2", "httpcore2", "asyncio")


def shown(value: object, depth: int = 4) -> Iterator[str]:
    """Yield the texts that a printer of values makes of this one."""
    yield _safely(repr, value)
    if not depth:
        return
    if isinstance(value, Mapping) or hasattr(value, "multi_items"):
        for name, item in dict(value).items():
            yield from (str(name), *shown(item, depth - 1))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from shown(item, depth - 1)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            if each.repr and type(value).__dataclass_params__.repr:  # type: ignore[attr-defined]
                yield from shown(getattr(value, each.name, None), depth - 1)


def _safely(make: Any, value: object) -> str:
    try:
        return str(make(value))
    except Exception as error:
        return f"no text: {type(error).__name__}"


def frames(error: BaseException) -> Iterator[tuple[str, FrameType]]:
    """Yield every frame that the error leads to, through its causes and contexts, with the name of its module."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        link = left.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        left += [link.__cause__, link.__context__, *getattr(link, "exceptions", ())]
        for frame, _ in traceback.walk_tb(link.__traceback__):
            yield str(frame.f_globals.get("__name__", "")), frame


def locals_of(error: BaseException, *modules: str) -> str:
    """The locals of those frames of an error that are in these packages, as text; of all but the tests without any."""
    told: list[str] = []
    for name, frame in frames(error):
        top = name.partition(".")[0]
        if top in modules if modules else not _is_ours(frame):
            for variable, value in frame.f_locals.items():
                told += [variable, *shown(value)]
    return "\n".join(told)


def _is_ours(frame: FrameType) -> bool:
    return "/tests/" in frame.f_code.co_filename


def printed(error: BaseException) -> str:
    """The error as text, without any locals."""
    told = [str(error), repr(error), f"{error}", *traceback.format_exception(error)]
    told += map(repr, (error.args, vars(error), getattr(error, "__notes__", None)))
    for field in ("body", "message", "code", "param", "type", "request_id", "retry_at", "route"):
        told += shown(getattr(error, field, None))
    for part in ("request", "response"):
        inner = getattr(error, part, None)
        if inner is not None:
            told += [repr(inner), str(inner.url), *shown(inner.headers), inner.content.decode("latin-1")]
    link = error.__cause__ or error.__context__
    return "\n".join([*told, *([printed(link)] if link is not None else [])])


def stored(value: object) -> bytes:
    """A pickle in every protocol, and that of its copies, where it can be pickled."""
    made = b""
    for twin in (value, copy.copy(value), copy.deepcopy(value)):
        for protocol in (0, pickle.HIGHEST_PROTOCOL):
            made += pickle.dumps(twin, protocol)
    return made


def of_error(error: BaseException) -> str:
    """All but the tracebacks: what a log, a queue or a result store keeps of an error."""
    told = printed(error)
    if isinstance(error, errors.ChatsheetError):
        told += stored(error).decode("latin-1") + printed(pickle.loads(pickle.dumps(error)))
    return told


def of_route(value: object) -> str:
    """A route as text, as values, as a pickle."""
    try:
        route: Route = route_of(value)
    except TypeError:
        return ""
    return "\n".join([str(route), *shown(route), repr(dataclasses.asdict(route)), stored(route).decode("latin-1")])


def of_answer(value: object) -> str:
    """What was handed to the caller, but for its request and headers, which have tests of their own."""
    told = [_safely(repr, value)]
    if isinstance(value, list):
        told += map(of_answer, value)
    if isinstance(value, pydantic.BaseModel):
        told += [value.model_dump_json(), repr(value.__pydantic_private__)]
        with contextlib.suppress(TypeError):  # a page of a list holds its client, which the SDK's own cannot pickle
            told.append(stored(value).decode("latin-1"))
    raw = getattr(value, "http_response", None)
    if raw is not None:
        told += [str(raw.url), *shown(raw.headers), *shown(raw.request.headers), repr(raw.extensions)]
    return "\n".join(told)


def of_client(client: Any) -> str:
    """Everything public of a client, and its variables one level deep."""
    told = [
        repr(client),
        str(client),
        f"{client}",
        *(f"{name} {_safely(repr, it)}" for name, it in vars(client).items()),
    ]
    for value in (client.health(), client.learned(), client.models_known(), client.api_key, client.base_url):
        told += shown(value)
    told += shown(client._core.setup.settings)
    told += shown(client._core.setup.endpoints)
    told += map(str, client.learned())
    return "\n".join(told)


class Heap(logging.Handler):
    """Keeps all log records of all loggers, each with its logger's name."""

    def __init__(self) -> None:
        super().__init__(level=1)
        self.said: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        told = [record.getMessage(), repr(record.args), str(record.exc_text)]
        if record.exc_info and record.exc_info[1] is not None:
            told.append(printed(record.exc_info[1]))
        self.said.append((record.name, "\n".join(told)))

    def of(self, *packages: str) -> str:
        """What the loggers of these packages said; of all without any."""
        return "\n".join(text for name, text in self.said if not packages or name.partition(".")[0] in packages)


@contextmanager
def listening() -> Iterator[Heap]:
    """Hear every logger at level DEBUG and below, and every warning."""
    heap, root = Heap(), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", *LOGGERS)}
    for name in levels:
        logging.getLogger(name).setLevel(1)
    root.addHandler(heap)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield heap
        heap.said += [("warnings", str(each.message)) for each in caught]
    finally:
        root.removeHandler(heap)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

"""Where the route of a call stands on what the SDK makes of its answer, and how it is read from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pydantic
from openai._types import NotGiven

from chatsheet_llm.errors import ChatsheetError
from chatsheet_llm.route import Route
from chatsheet_llm.sdk.requests import FinalRequestOptions

ROUTE = "chatsheet_route"


def with_route(options: FinalRequestOptions, route: Callable[[], Route]) -> None:
    """Have every object that is parsed with these options carry the route, however late it is parsed."""
    inner = options.post_parser

    def parser(parsed: Any) -> Any:
        attach(parsed, route())
        if isinstance(inner, NotGiven):
            return parsed
        try:
            made = inner(parsed)
        except Exception as error:
            # The SDK's own, of a reply that is cut or filtered, and pydantic's.
            error.__dict__[ROUTE] = route()
            raise
        attach(made, route())
        return made

    options.post_parser = parser


class _NamesSet(set[str]):
    """The names of the fields that were set, and the route of the call beside them.

    Of all that an object holds, these names are what pydantic copies and pickles, and neither compares nor writes: with
    the route in there, an object equals, shows and serialises what the SDK's own does.
    """

    route: Route

    def __repr__(self) -> str:
        return repr(set(self))


def attach(value: object, route: Route) -> None:
    """Put the route on an SDK object, where its copies and pickles keep it and no comparison or JSON sees it."""
    if isinstance(value, pydantic.BaseModel):
        names = _NamesSet(value.__pydantic_fields_set__)
        names.route = route
        object.__setattr__(value, "__pydantic_fields_set__", names)


def route_of(value: object) -> Route:
    """Return how the call behind ``value`` went.

    Takes a completion, a response, a list page, a stream, a raw or streaming response, or an error of ours.  A stream's
    route tells what happened until now: the attempts up to its first content, and those after a restart.  Raises
    TypeError for anything else.
    """
    if isinstance(value, ChatsheetError):
        return value.route
    if isinstance(value, BaseException) and isinstance(route := value.__dict__.get(ROUTE), Route):
        return route
    if isinstance(value, pydantic.BaseModel) and isinstance(names := value.model_fields_set, _NamesSet):
        return names.route
    for name in ("extensions", "response", "http_response", "_response", "_raw_stream"):
        inner = getattr(value, name, None)
        if name == "extensions" and isinstance(inner, Mapping) and ROUTE in inner:
            return cast("Callable[[], Route]", inner[ROUTE])()
        if name != "extensions" and inner is not None and inner is not value:
            try:
                return route_of(inner)
            except TypeError:
                continue
    what = type(value).__name__
    raise TypeError(
        f"no route is known of a {what}; give a completion, response, stream or error of this client"
        " (of what a stream helper put together, ask the stream)"
    )

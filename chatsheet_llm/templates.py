"""What the SDK's `create` makes of its arguments, learned from the SDK itself.  Sends nothing.

The SDK walks every argument by its declared type, 0.1 ms for each message.  Of values that are JSON already the walk
changes nothing, so these are copied instead; a call with any other is left to the SDK.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from openai import NotGiven, Omit

from chatsheet_llm import sdk

_BESIDE = frozenset(("extra_headers", "extra_query", "extra_body", "timeout"))
"""Arguments that are no part of the body."""
_ATOMS = frozenset((str, int, float, bool, type(None)))
_ABSENT = frozenset((NotGiven, Omit))
_WORD = "x"


class _NotPlain(Exception):
    """There is a value that is no JSON as it stands."""


@dataclass(frozen=True, slots=True)
class Template:
    """What one method sends.

    ``order`` is that of the body's fields, ``required`` those that the SDK insists on; ``options`` hold what is the
    same in every request; ``cast_to`` and ``stream_cls`` are the types of the answer.
    """

    order: tuple[str, ...]
    required: frozenset[str]
    options: sdk.FinalRequestOptions
    cast_to: Any
    stream_cls: Any

    def request(self, given: Mapping[str, Any]) -> sdk.FinalRequestOptions | None:
        """Return the request that the SDK would make of these arguments; None where only the SDK knows what to do."""
        if not self.required <= given.keys():
            return None
        body: dict[str, Any] = {}
        passed = 0
        try:
            for name in self.order:
                if name in given:
                    passed += 1
                    value = given[name]
                    kind = type(value)
                    if kind in _ATOMS:
                        body[name] = value
                    elif kind not in _ABSENT:
                        body[name] = copied(value)
        except _NotPlain:
            return None
        beside = {name: given[name] for name in _BESIDE if name in given}
        # What the SDK does not know it refuses.
        return sdk.asked(self.options, body, **beside) if passed + len(beside) == len(given) else None


def copied(value: Any) -> Any:
    """Return a copy of a value that is JSON as it stands: the caller may change it while the request runs.

    Raises for any other value, subclasses of JSON's types too.
    """
    kind = type(value)
    if kind is dict:
        for name in value:
            if type(name) is not str:
                raise _NotPlain
        return {name: each if type(each) in _ATOMS else copied(each) for name, each in value.items()}
    if kind is list:
        return [each if type(each) in _ATOMS else copied(each) for each in value]
    if kind in _ATOMS:
        return value
    raise _NotPlain


@cache
def template_of(resource: type[Any]) -> Template | None:
    """Return the template of a resource's ``create``: it is called once, with a word for every argument.

    None where that does not go as foreseen: then every call is left to the SDK.
    """
    parameters = inspect.signature(resource.create).parameters
    words = {name: _WORD for name in parameters if name not in _BESIDE and name not in ("self", "stream")}
    try:
        path, told = sdk.overheard(resource, {**words, "stream": True})
        options = sdk.FinalRequestOptions.construct(method="post", url=path, **told["options"])
        return Template(
            order=tuple(told["body"]),
            required=frozenset(name for name in words if parameters[name].default is inspect.Parameter.empty),
            options=options,
            cast_to=told["cast_to"],
            stream_cls=told["stream_cls"],
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None

"""A whole Response -> the events of the stream that would have brought it.  Converts and judges nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from chatsheet_llm.formats.errors import FormatError, named, objects
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.responses_chat_events import EventWriter


def responses_events(response: Mapping[str, object]) -> list[Object]:
    """Return the events of a Responses stream that amount to a Response, which the last one carries as it is.

    Items follow one another, each announced empty and closed as it is; a text is one delta.  What has no events of its
    own (unknown items and parts, commands of a shell) stands whole in those that announce and close it, and so does a
    call without an id, which its events could not name.  Raises FormatError for a reply that is not over or failed.
    """
    status = response.get("status")
    ending = _ENDINGS.get(status) if status is None or isinstance(status, str) else None
    if ending is None:
        raise FormatError("status", f"a stream cannot end with {named(status)}")
    output = objects(response.get("output"), "output")
    writer = EventWriter()
    begun = dict(response) | _only_known(_LATE, response) | {"status": "in_progress", "output": []}
    for stage in ("created", "in_progress"):
        writer.event(f"response.{stage}", response=begun)
    for place, (path, item) in enumerate(output):
        writer.event("response.output_item.added", output_index=place, item=_announced(item))
        _tell(writer, {"item_id": item["id"] if _has_id(item) else "", "output_index": place}, item, path)
        writer.event("response.output_item.done", output_index=place, item=item)
    writer.event(ending, response=response)
    return writer.take()


class _Parts(NamedTuple):
    """A list of an item whose elements are told one by one."""

    field: str
    event: str
    counter: str


class _Text(NamedTuple):
    """A text that is told in deltas: their event, and the field that holds it when it is whole."""

    event: str
    field: str


class _Work(NamedTuple):
    """What a hosted tool tells of its work: before its input, behind it."""

    event: str
    before: tuple[str, ...]
    after: tuple[str, ...] = ()


_ENDINGS: Mapping[str | None, str] = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    # Some gateways leave it out of an answer that is whole.
    None: "response.completed",
}
_LATE: Mapping[str, object] = dict.fromkeys(
    ("completed_at", "content_filters", "error", "incomplete_details", "moderation", "output_text", "usage")
)
"""Fields of a Response that nobody knows when it begins."""

_PARTS: Mapping[str, tuple[_Parts, ...]] = {
    "message": (_Parts("content", "response.content_part", "content_index"),),
    "reasoning": (
        _Parts("summary", "response.reasoning_summary_part", "summary_index"),
        _Parts("content", "response.content_part", "content_index"),
    ),
}
_TEXTS: Mapping[str, _Text] = {
    "output_text": _Text("response.output_text", "text"),
    "refusal": _Text("response.refusal", "refusal"),
    "summary_text": _Text("response.reasoning_summary_text", "text"),
    "reasoning_text": _Text("response.reasoning_text", "text"),
}
"""Type of a part -> its text."""
_INPUTS: Mapping[str, _Text] = {
    "function_call": _Text("response.function_call_arguments", "arguments"),
    "custom_tool_call": _Text("response.custom_tool_call_input", "input"),
    "mcp_call": _Text("response.mcp_call_arguments", "arguments"),
    "code_interpreter_call": _Text("response.code_interpreter_call_code", "code"),
}
"""Type of an item -> what the model wrote for the tool."""
_WORK: Mapping[str, _Work] = {
    "code_interpreter_call": _Work("response.code_interpreter_call", ("in_progress",), ("interpreting",)),
    "file_search_call": _Work("response.file_search_call", ("in_progress", "searching")),
    "image_generation_call": _Work("response.image_generation_call", ("in_progress", "generating")),
    "mcp_call": _Work("response.mcp_call", ("in_progress",)),
    "mcp_list_tools": _Work("response.mcp_list_tools", ("in_progress",)),
    "web_search_call": _Work("response.web_search_call", ("in_progress", "searching")),
}
_UNTOLD: Mapping[str, Mapping[str, object]] = {
    "code_interpreter_call": {"outputs": None},
    "file_search_call": {"queries": [], "results": None},
    "image_generation_call": {"result": None},
    "mcp_call": {"error": None, "output": None},
    "mcp_list_tools": {"error": None, "tools": []},
}
"""Type of an item -> its results, as they are while it works."""
_NEVER_UNDER_WAY = frozenset({"apply_patch_call_output", "program_output"})
"""Types of items whose status knows the outcome alone."""
_FAILING = ("mcp_call", "mcp_list_tools")
"""Types of items that have an event for their failure."""


def _announced(item: Mapping[str, object]) -> Object:
    """The item before it has said or found anything."""
    kind = str(item.get("type"))
    begun = {} if kind in _NEVER_UNDER_WAY else {"status": "in_progress"}
    blank = _only_known({**begun, **_UNTOLD.get(kind, {})}, item)
    blank |= {field: [] for field, _, _ in _PARTS.get(kind, ()) if isinstance(item.get(field), list)}
    if (text := _input(item)) is not None:
        blank[text.field] = ""
    return dict(item) | blank


def _only_known(values: Mapping[str, object], holder: Mapping[str, object]) -> Object:
    return {name: value for name, value in values.items() if name in holder}


def _input(item: Mapping[str, object]) -> _Text | None:
    text = _INPUTS.get(str(item.get("type")))
    return text if text is not None and _has_id(item) and isinstance(item.get(text.field), str) else None


def _has_id(item: Mapping[str, object]) -> bool:
    return isinstance(item.get("id"), str) and bool(item["id"])


def _tell(writer: EventWriter, where: Object, item: Mapping[str, object], path: str) -> None:
    kind = str(item.get("type"))
    for field, event, counter in _PARTS.get(kind, ()):
        if isinstance(item.get(field), list):
            for number, (_, part) in enumerate(objects(item[field], f"{path}.{field}")):
                _tell_part(writer, event, where | {counter: number}, part)
    work = _WORK.get(kind) if _has_id(item) else None
    if work is not None:
        _mark(writer, work, work.before, where)
    if (text := _input(item)) is not None:
        names = {"name": item["name"]} if kind == "function_call" and "name" in item else {}
        _tell_text(writer, text, where, item, {}, names)
    if work is not None:
        _mark(writer, work, (*work.after, *_outcome(item)), where)


def _mark(writer: EventWriter, work: _Work, stages: tuple[str, ...], where: Object) -> None:
    for stage in stages:
        writer.event(f"{work.event}.{stage}", **where)


def _outcome(item: Mapping[str, object]) -> tuple[str, ...]:
    if item.get("type") in _FAILING and (item.get("error") or item.get("status") == "failed"):
        return ("failed",)
    return () if item.get("status") in ("failed", "incomplete") else ("completed",)


def _tell_part(writer: EventWriter, event: str, where: Object, part: Mapping[str, object]) -> None:
    text = _TEXTS.get(str(part.get("type")))
    if text is None or not isinstance(part.get(text.field), str):
        for stage in ("added", "done"):
            writer.event(f"{event}.{stage}", **where, part=part)
        return
    lists: Object = {name: [] for name in ("annotations", "logprobs") if isinstance(part.get(name), list)}
    writer.event(f"{event}.added", **where, part=dict(part) | {text.field: ""} | lists)
    tokens: Object = {"logprobs": part.get("logprobs") or []} if part.get("type") == "output_text" else {}
    _tell_text(writer, text, where, part, tokens, tokens)
    writer.event(f"{event}.done", **where, part=part)


def _tell_text(
    writer: EventWriter, text: _Text, where: Object, holder: Mapping[str, object], more: Object, at_end: Object
) -> None:
    """Tell a text, with more beside its delta and at its end; what a text cites comes between them."""
    if holder[text.field]:
        writer.event(f"{text.event}.delta", **where, delta=holder[text.field], **more)
    notes = holder.get("annotations")
    for number, note in enumerate(notes if isinstance(notes, list) else []):
        writer.event(f"{text.event}.annotation.added", **where, annotation_index=number, annotation=note)
    writer.event(f"{text.event}.done", **where, **{text.field: holder[text.field]}, **at_end)

"""Responses reply -> Chat Completions reply.  Attaches and lists what Chat has no place for; throws nothing away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from chatsheet_llm.formats.errors import FormatError, elements, mapping, named, objects, string
from chatsheet_llm.formats.ledger import is_nothing
from chatsheet_llm.formats.seals import REASONING_BREAK
from chatsheet_llm.formats.shapes import integer, says_something
from chatsheet_llm.formats.tables import (
    CALL_EXTRAS,
    CALL_KINDS,
    CALLS,
    CHAT_SERVICE_TIERS,
    MAPPED_FIELDS,
    REQUEST_ECHO,
)
from chatsheet_llm.route import Loss

Object = dict[str, object]

INCOMPLETE_REASONS: Mapping[str, str] = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""Why a Response is incomplete -> the finish reason of Chat.  Any other reason is a ``length``, listed as a loss."""


def responses_to_chat(reply: Mapping[str, object]) -> tuple[dict[str, object], list[Loss]]:
    """Return the ChatCompletion that says what a finished Response says, and what it had to attach.

    Texts of several messages are joined without a separator, as the SDK's ``output_text`` joins them.  A cut-off
    answer is ``length`` or ``content_filter`` even where it holds tool calls, since their arguments may be cut off too;
    one that says neither its status nor why it is incomplete is taken for whole, which is listed as a loss.
    Attached extras that the SDK keeps: on the message ``reasoning_content``, ``reasoning_items``, ``provider_items``
    (hosted tools), ``provider_parts``, ``provider_annotations``, ``phase`` or ``phases``; on a tool call
    ``namespace``, ``caller`` and ``async``; on the completion ``response_id``, ``response_status`` and
    ``response_fields``.  Each is listed as a loss, except the id and the status.

    Raises FormatError for what is no finished Response: failed, cancelled or still running ones, and other bodies.
    """
    status = reply.get("status")
    if status not in (None, "completed", "incomplete"):
        raise FormatError("status", f"{named(status)} is not a finished answer")
    output = _Output()
    for index, (path, item) in enumerate(objects(reply.get("output"), "output")):
        output.add(index, path, item)
    losses = output.losses
    completion: Object = {
        "id": reply.get("id") if isinstance(reply.get("id"), str) else "",
        "object": "chat.completion",
        "created": integer(reply.get("created_at")),
        "model": reply.get("model") if isinstance(reply.get("model"), str) else "",
        "choices": [
            {
                "index": 0,
                "finish_reason": _finish_reason(reply, output, losses),
                "logprobs": {"content": output.logprobs, "refusal": None} if output.logprobs else None,
                "message": output.message(),
            }
        ],
    }
    fields = {name: value for name, value in reply.items() if name not in MAPPED_FIELDS | REQUEST_ECHO}
    tier = reply.get("service_tier")
    holder = completion if isinstance(tier, str) and tier in CHAT_SERVICE_TIERS else fields
    holder["service_tier"] = tier
    if reply.get("metadata"):
        completion["metadata"] = reply["metadata"]
    if isinstance(reply.get("moderation"), Mapping):
        completion["moderation"] = _moderation(mapping(reply["moderation"], "moderation"))
    if isinstance(reply.get("usage"), Mapping):
        completion["usage"] = _usage(mapping(reply["usage"], "usage"), losses)
    # Zeros and refusals to say are attached as well, but listed only where something is said.
    attached = {name: value for name, value in fields.items() if not is_nothing(value)}
    if attached:
        completion["response_fields"] = attached
        said = [name for name, value in attached.items() if says_something(value)]
        losses += [Loss("chat", name, f"attached as response_fields[{name!r}]") for name in said]
    completion["response_id"] = reply.get("id")
    completion["response_status"] = status
    return completion, losses


class _Output:
    """What the output items say, sorted into the one message that Chat has."""

    def __init__(self) -> None:
        self.losses: list[Loss] = []
        self.logprobs: list[object] = []
        self.tool_calls: list[Object] = []
        self._text: str | None = None
        self._refusal: str | None = None
        self._reasoning: list[str] = []
        self._annotations: list[Object] = []
        self._phases: list[object] = []
        self._extras: dict[str, list[object]] = {}

    def add(self, index: int, path: str, item: Mapping[str, object]) -> None:
        kind = item.get("type")
        sort = self._ITEMS.get(kind, _Output._attach_item) if isinstance(kind, str) else _Output._attach_item
        sort(self, index, path, item)

    def message(self) -> Object:
        message: Object = {"role": "assistant", "content": self._text, "refusal": self._refusal}
        if self.tool_calls:
            message["tool_calls"] = self.tool_calls
        if self._annotations:
            message["annotations"] = self._annotations
        if self._reasoning:
            message["reasoning_content"] = REASONING_BREAK.join(self._reasoning)
        if any(phase is not None for phase in self._phases):
            # Chat has one message: one phase fits on it, several need the list.
            same = all(phase == self._phases[0] for phase in self._phases)
            message |= {"phase": self._phases[0]} if same else {"phases": self._phases}
        return message | self._extras

    def _message(self, index: int, path: str, item: Mapping[str, object]) -> None:
        if item.get("role", "assistant") != "assistant":
            self._attach_item(index, path, item)
            return
        for number, (at, part) in enumerate(objects(item.get("content"), f"{path}.content")):
            kind = part.get("type")
            if kind == "output_text":
                self._say(index, number, at, part)
            elif kind == "refusal":
                self._refusal = (self._refusal or "") + string(part, "refusal", at)
            else:
                self._attach("provider_parts", dict(part), at, f"Chat has no content {named(kind)}")
        self._phases.append(item.get("phase"))
        if item.get("phase") is not None:
            self.losses.append(Loss("chat", f"{path}.phase", "Chat has no phase, attached as message.phase or .phases"))

    def _say(self, index: int, number: int, at: str, part: Mapping[str, object]) -> None:
        before = self._text or ""
        self._text = before + string(part, "text", at)
        self.logprobs += [chat_logprob(entry) for entry in elements(part.get("logprobs") or [], f"{at}.logprobs")]
        for where, annotation in objects(part.get("annotations") or [], f"{at}.annotations"):
            # Positions count from the start of the part, and the parts become one text.
            moved = {
                name: value + len(before) if name in ("start_index", "end_index") and isinstance(value, int) else value
                for name, value in annotation.items()
            }
            if moved.pop("type", None) == "url_citation":
                self._annotations.append({"type": "url_citation", "url_citation": moved})
            else:
                kept = {"output_index": index, "content_index": number, "annotation": dict(annotation)}
                self._attach(
                    "provider_annotations", kept, where, f"Chat has no annotation {named(annotation.get('type'))}"
                )

    def _call(self, index: int, path: str, item: Mapping[str, object]) -> None:
        del index
        kind = CALL_KINDS[string(item, "type", path)]
        row = CALLS[kind]
        tool = {"name": string(item, "name", path), row.text: string(item, row.text, path)}
        extras = {extra: item[extra] for extra in CALL_EXTRAS if item.get(extra) is not None}
        self.tool_calls.append({"id": string(item, "call_id", path), "type": kind, kind: tool} | extras)
        for extra in extras:
            self.losses.append(Loss("chat", f"{path}.{extra}", f"Chat has no {extra!r} on a tool call, attached to it"))

    def _reason(self, index: int, path: str, item: Mapping[str, object]) -> None:
        del index
        for field in ("summary", "content"):
            for at, part in objects(item.get(field) or [], f"{path}.{field}"):
                if text := string(part, "text", at):
                    self._reasoning.append(text)
        self._attach("reasoning_items", dict(item), path, "Chat has no reasoning")

    def _attach_item(self, index: int, path: str, item: Mapping[str, object]) -> None:
        del index
        self._attach("provider_items", dict(item), path, f"Chat has no output {named(item.get('type'))}")

    def _attach(self, name: str, value: object, path: str, why: str) -> None:
        self._extras.setdefault(name, []).append(value)
        self.losses.append(Loss("chat", path, f"{why}, attached as message.{name}"))

    _ITEMS: ClassVar[Mapping[str, Callable[[_Output, int, str, Mapping[str, object]], None]]] = {
        "message": _message,
        "reasoning": _reason,
        **dict.fromkeys(CALL_KINDS, _call),
    }


def chat_logprob(entry: object) -> object:
    """One token's log probability as Chat has it: the same fields, with ``bytes`` and ``top_logprobs`` always there.

    Stream events leave ``bytes`` out; then it is None, since a token is not always the text of its bytes.
    """
    if not isinstance(entry, Mapping):
        return entry
    top = entry.get("top_logprobs")
    others = [{"bytes": None, **other} for other in top] if isinstance(top, list) else []
    return {"bytes": None, **entry, "top_logprobs": others}


def _finish_reason(reply: Mapping[str, object], output: _Output, losses: list[Loss]) -> str:
    status, details = reply.get("status"), reply.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    if status is None and reason is None:
        losses.append(Loss("chat", "status", "it did not come, so the answer is taken for a whole one"))
    if status == "completed" or (status is None and reason is None):
        return "tool_calls" if output.tool_calls else "stop"
    if isinstance(reason, str) and reason in INCOMPLETE_REASONS:
        return INCOMPLETE_REASONS[reason]
    losses.append(
        Loss("chat", "incomplete_details.reason", f"Chat has no finish reason for {named(reason)}, it is 'length'")
    )
    return "length"


def _usage(usage: Mapping[str, object], losses: list[Loss]) -> Object:
    """The token counts by Chat's names.  Details keep every count that came; other counts are attached."""
    prompt, answer = integer(usage.get("input_tokens")), integer(usage.get("output_tokens"))
    total = usage.get("total_tokens")
    counted: Object = {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer if total is None else integer(total),
    }
    for theirs, ours in (
        ("input_tokens_details", "prompt_tokens_details"),
        ("output_tokens_details", "completion_tokens_details"),
    ):
        if isinstance(details := usage.get(theirs), Mapping):
            counted[ours] = dict(details)
    for name, value in usage.items():
        if name not in _COUNTS:
            counted[name] = value
            if says_something(value):
                losses.append(Loss("chat", f"usage.{name}", f"Chat does not count {name!r}, attached to the usage"))
    return counted


_COUNTS = frozenset({"input_tokens", "output_tokens", "total_tokens", "input_tokens_details", "output_tokens_details"})


def _moderation(moderation: Mapping[str, object]) -> Object:
    """Both verdicts; Chat wraps a result into a list of results, and an error is the same in both."""
    verdicts: Object = {}
    for side, verdict in moderation.items():
        verdicts[side] = verdict
        if isinstance(verdict, Mapping) and verdict.get("type") == "moderation_result":
            verdicts[side] = {"type": "moderation_results", "model": verdict.get("model"), "results": [dict(verdict)]}
    return verdicts

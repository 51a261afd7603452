"""What a Chat answer says, piece by piece -> output items of Responses, for whole replies and for streams alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from chatsheet_llm.formats.errors import mapping, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.shapes import integer
from chatsheet_llm.formats.tables import CALL_EXTRAS, CALLS


def empty_response(reply: Mapping[str, object]) -> Object:
    """Return a Response with the id, model and time of a Chat reply and a neutral value wherever one is required."""
    return {
        "id": _text(reply.get("id")),
        "object": "response",
        "created_at": integer(reply.get("created")),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": _text(reply.get("model")),
        "output": [],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }


def item_id(prefix: str, reply_id: object, number: int | None = None) -> str:
    """Return the id of an output item: made of the reply's, so that a stream and a whole reply have the same."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", _text(reply_id))[:48]
    return f"{prefix}_{plain}" + ("" if number is None else f"_{number}")


def call_kind(call: Mapping[str, object]) -> str:
    """Return the type of a tool call, which some servers leave out."""
    return str(call.get("type") or ("custom" if "custom" in call else "function"))


def call_ids(calls: Iterable[Mapping[str, object]], reply_id: object) -> list[str]:
    """Return the id of each tool call: its own, or one made of its number where it has none or an earlier one has it.

    A later call changes no id.  Results find their call by its id alone, and so does the SDK's stream helper.
    """
    ids: list[str] = []
    for number, call in enumerate(calls):
        call_id = _text(call.get("id")) or item_id("call", reply_id, number)
        while call_id in ids:
            call_id = f"{call_id}_{number}"
        ids.append(call_id)
    return ids


def call_item(
    call: Mapping[str, object], call_id: str, reply_id: object, number: int, path: str, ledger: Ledger
) -> Object:
    """Return the output item of a tool call, under an id of :func:`call_ids`.

    A call of an unknown kind is an item of that kind.  Raises FormatError.
    """
    kind = call_kind(call)
    row = CALLS.get(kind)
    if call.get("id") and call["id"] != call_id:
        why = "an earlier call has it" if isinstance(call["id"], str) else "it is no text"
        ledger.lose(f"{path}.id", f"{why}, so the call has another id")
    if row is None:
        ledger.lose(path, "Responses has no such tool call, attached to the output as it is")
        return dict(call) | ({"id": call_id} if call.get("id") else {})
    tool = mapping(call.get(kind), f"{path}.{kind}")
    item: Object = {
        "id": item_id("fc" if kind == "function" else "ctc", reply_id, number),
        "type": row.item,
        "call_id": call_id,
        "name": string(tool, "name", f"{path}.{kind}"),
        row.text: "" if tool.get(row.text) is None else string(tool, row.text, f"{path}.{kind}"),
    }
    if kind == "function":
        item["status"] = "completed"
    item |= {extra: call[extra] for extra in CALL_EXTRAS if call.get(extra) is not None}
    for given, known, at in ((call, {"id", "type", "index", kind, *CALL_EXTRAS}, path), (tool, {"name", row.text}, "")):
        for name, value in given.items():
            if name not in known and name not in item and not is_nothing(value):
                item[name] = value
                ledger.lose(f"{at or f'{path}.{kind}'}.{name}", "Responses has no place for it, attached to the item")
    return item


def text_part(text: str, annotations: list[object], logprobs: list[object]) -> Object:
    """Return a text as part of an output message."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


def flat_annotation(annotation: object) -> Object | None:
    """Return an annotation as Responses has it, None for one that only Chat or its provider knows."""
    if isinstance(annotation, Mapping) and isinstance(cited := annotation.get("url_citation"), Mapping):
        return {"type": "url_citation", **cited}
    return None


def response_logprob(entry: object) -> object:
    """Return one token's log probability as an output message has it: ``bytes`` is a list, empty where unknown."""
    if not isinstance(entry, Mapping):
        return entry
    top = entry.get("top_logprobs")
    listed = top if isinstance(top, list) else []
    others = [{**other, "bytes": other.get("bytes") or []} if isinstance(other, Mapping) else other for other in listed]
    return {**entry, "bytes": entry.get("bytes") or [], "top_logprobs": others}


def reasoning_item(reply_id: object, text: str, number: int | None = None) -> Object:
    """Return a reasoning item that shows a text and has no seal."""
    summary = [{"type": "summary_text", "text": text}]
    return {"id": item_id("rs", reply_id, number), "type": "reasoning", "summary": summary}


def message_item(reply_id: object, parts: list[Object], phase: object = None, number: int | None = None) -> Object:
    """Return an output message."""
    item: Object = {"id": item_id("msg", reply_id, number), "type": "message", "role": "assistant"}
    return item | {"status": "completed", "content": parts} | ({} if phase is None else {"phase": phase})


def split_content(content: object, path: str) -> tuple[str, list[tuple[str, Mapping[str, object]]]]:
    """Return the text of a message, and its other parts with their paths; some providers send parts."""
    if content is None or isinstance(content, str):
        return content or "", []
    given = objects(content, path)
    texts = [string(part, "text", at) for at, part in given if part.get("type") == "text"]
    return "".join(texts), [(at, part) for at, part in given if part.get("type") != "text"]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

"""Say at a glance that a request holds nothing that an earlier reply left.  Where it says no, others look closer.

Most requests are words alone, and a conversation of a hundred messages is looked through for every call: so all of it
is asked at once which fields it has, and no message is taken apart that holds a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from chatsheet_llm.formats.chat_history import ATTACHED
from chatsheet_llm.formats.tables import CALL_EXTRAS
from chatsheet_llm.route import Mode


def plain(caller: Mode, body: Mapping[str, object]) -> bool:
    """Whether neither :func:`~.state.seals` nor :func:`~.chat_history.without_attached` would find anything.

    False says nothing.
    """
    read = _READERS.get(caller)
    try:
        return read is not None and read(body)
    except (TypeError, AttributeError):
        # Not what such a request is made of.
        return False


_IN_MESSAGES = ATTACHED | {"provider_specific_fields", "thinking_blocks", "audio"}
_IN_PARTS = frozenset({"file"})
_IN_CALLS = frozenset(CALL_EXTRAS)
_IN_REQUESTS = frozenset({"previous_response_id", "conversation", "prompt"})
_IN_TOOLS = frozenset({"container", "vector_store_ids"})
_IN_ITEMS = frozenset({"id", "encrypted_content", "approval_request_id", "tool_use_id"})
_IN_ITEM_PARTS = frozenset({"file_id"})


def _chat(body: Mapping[str, object]) -> bool:
    messages = body.get("messages")
    if type(messages) is not list:
        return False
    fields: set[object] = set().union(*messages)
    if not fields.isdisjoint(_IN_MESSAGES) or not _texts(messages, "content", _IN_PARTS):
        return False
    # Calls are looked at one by one: an agent's are many, and each is a few fields.
    return "tool_calls" not in fields or all(
        _lacks(message["tool_calls"], _IN_CALLS) for message in messages if message.get("tool_calls")
    )


def _responses(body: Mapping[str, object]) -> bool:
    if not _IN_REQUESTS.isdisjoint(body):
        return False
    tools, given = body.get("tools"), body.get("input")
    if tools and not _lacks(tools, _IN_TOOLS):
        return False
    if given is None or type(given) is str:
        return True
    if type(given) is not list:
        return False
    fields: set[object] = set().union(*given)
    return (
        fields.isdisjoint(_IN_ITEMS)
        and _texts(given, "content", _IN_ITEM_PARTS)
        and ("output" not in fields or _texts(given, "output", _IN_ITEM_PARTS))
    )


_READERS: Mapping[Mode, Callable[[Mapping[str, object]], bool]] = MappingProxyType(
    {"chat": _chat, "responses": _responses}
)


def _texts(messages: list[dict[str, object]], field: str, telling: frozenset[str]) -> bool:
    """Whether what messages say is text, or lists of parts that have none of these fields."""
    try:
        if {message[field].__class__ for message in messages} <= _TEXT:
            return True
    except KeyError:
        pass
    said = [message.get(field) for message in messages]
    return all(_lacks(content, telling) for content in said if content.__class__ not in _TEXT)


_TEXT = frozenset({str, type(None)})


def _lacks(objects: object, telling: frozenset[str]) -> bool:
    """Whether no object of a list has one of these fields."""
    if type(objects) is not list:
        return False
    fields: set[object] = set().union(*(each for each in objects if isinstance(each, Mapping)))
    return fields.isdisjoint(telling)

"""Take what we attached to earlier chat replies out of a chat request.  Touches nothing that Chat Completions knows.

``messages.append(completion.choices[0].message)`` hands back what a bridged reply had attached.  Another chat endpoint
does not know these fields, and what a provider sealed (encrypted reasoning) is none of its business.
"""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.formats.tables import CALL_EXTRAS
from chatsheet_llm.route import Loss

ATTACHED = frozenset({"reasoning_items", "provider_items", "provider_parts", "provider_annotations", "phase", "phases"})
"""Fields that the Responses bridge attaches to a message of a reply."""
_ON_CALLS = frozenset(CALL_EXTRAS)


def without_attached(body: Mapping[str, object]) -> tuple[Mapping[str, object], list[Loss]]:
    """Return the request without them, and one Loss for each; the very same body where there are none."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body, []
    losses: list[Loss] = []
    kept = [_message(message, f"messages[{index}]", losses) for index, message in enumerate(messages)]
    return ({**body, "messages": kept}, losses) if losses else (body, losses)


def _message(message: object, path: str, losses: list[Loss]) -> object:
    if not isinstance(message, Mapping) or message.get("role") != "assistant":
        return message
    kept = _without(message, ATTACHED, path, losses)
    calls = kept.get("tool_calls")
    if isinstance(calls, list):
        left = [
            _without(call, _ON_CALLS, f"{path}.tool_calls[{index}]", losses) if isinstance(call, Mapping) else call
            for index, call in enumerate(calls)
        ]
        return {**kept, "tool_calls": left} if left != calls else kept
    return kept


def _without(given: Mapping[str, object], names: frozenset[str], path: str, losses: list[Loss]) -> Mapping[str, object]:
    found = [name for name in given if name in names]
    for name in found:
        reason = "attached to a reply of the Responses API, unknown to chat"
        losses.append(Loss("chat", f"{path}.{name}", reason, minor=True))
    return {name: value for name, value in given.items() if name not in names} if found else given

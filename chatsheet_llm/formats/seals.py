"""How sealed reasoning of one format travels in another, so that it can go home whole.  Decides no return.

A provider signs or encrypts its reasoning; nobody else can read it, and the provider takes it back only unchanged.
Translated, it keeps its own words behind a prefix that names where it is at home:

- a Messages thinking block becomes a Responses reasoning item whose ``encrypted_content`` is ``messages.thinking:`` and
  the signature; a redacted one has ``messages.redacted:`` and the data;
- a Responses reasoning item becomes a Messages thinking block whose ``signature`` is ``responses.reasoning:`` and the
  whole item as JSON in URL-safe base64.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Literal

THINKING = "messages.thinking:"
REDACTED = "messages.redacted:"
REASONING = "responses.reasoning:"
REASONING_BREAK = "\n\n"
"""Stands between two reasoning texts where a format has room for one."""

ThinkingKind = Literal["thinking", "redacted_thinking"]


def seal_thinking(kind: ThinkingKind, secret: str) -> str:
    """Return the ``encrypted_content`` for a block's ``signature`` (thinking) or ``data`` (redacted_thinking)."""
    return (THINKING if kind == "thinking" else REDACTED) + secret


def open_thinking(encrypted: object) -> tuple[ThinkingKind, str] | None:
    """Return the kind of block and its signature or data; None for a seal that is not from Messages."""
    if isinstance(encrypted, str):
        if encrypted.startswith(THINKING):
            return "thinking", encrypted.removeprefix(THINKING)
        if encrypted.startswith(REDACTED):
            return "redacted_thinking", encrypted.removeprefix(REDACTED)
    return None


def seal_reasoning(item: Mapping[str, object]) -> str:
    """Return the ``signature`` that holds a whole Responses reasoning item."""
    text = json.dumps(item, separators=(",", ":"), ensure_ascii=False)
    return REASONING + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def open_reasoning(signature: object) -> dict[str, object] | None:
    """Return the Responses reasoning item in a signature; None for a seal that is not from Responses, or is damaged."""
    if not isinstance(signature, str) or not signature.startswith(REASONING):
        return None
    packed = signature.removeprefix(REASONING)
    try:
        item = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except (binascii.Error, ValueError):
        return None
    return item if isinstance(item, dict) and item.get("type") == "reasoning" else None

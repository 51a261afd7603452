"""What Azure OpenAI refuses although the JSON is right: api-versions, and what a model cannot do.  Pure."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from chatsheet_llm.sandbox.answers import Ask
from chatsheet_llm.sandbox.shapes import Json

DATED: dict[str, str] = {
    "gpt-5-codex": "gpt-5-codex-2025-09-15",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "gpt-5-chat": "gpt-5-chat-2025-08-07",
    "gpt-5-pro": "gpt-5-pro-2025-10-06",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4o": "gpt-4o-2024-11-20",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-5.4": "gpt-5.4-2026-03-05",
    "o3": "o3-2025-04-16",
    "o4-mini": "o4-mini-2025-04-16",
    "text-embedding-3-small": "text-embedding-3-small",
}
"""Base model -> the dated name that replies carry."""

_RESPONSES_ONLY = re.compile(r"codex|^gpt-5(\.\d+)?-pro|^o\d+-pro|^computer-use")
_WHOLE_ONLY = re.compile(r"(o1|o3-pro|gpt-5-pro)(-\d{4}-\d{2}-\d{2})?")
"""Models without streaming."""
_REASONING = re.compile(r"^(gpt-5(?!(\.\d+)?-chat)|o\d)")
_VERSION = re.compile(r"^gpt-(\d+)(?:\.(\d+))?(?=[.-]|$)")
_RESPONSES_SINCE = "2025-03-01"
_FIXED: dict[str, float] = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
"""Sampling parameters that a reasoning model takes at their default only."""
_ABSENT = ("max_tokens", "logprobs", "top_logprobs", "logit_bias")
"""Parameters that a reasoning model does not take on Chat Completions."""


class Breach(Exception):
    """A request that the role refuses with a documented body: status, code, and the words that fill the body."""

    def __init__(self, status: int, code: str | None, **words: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.words = words


def azure_breach(path: str, query: str, api: str) -> Breach | None:
    """Return what is wrong with a path and its api-version, or None."""
    version = parse_qs(query).get("api-version", [""])[0]
    if path.startswith(("/openai/v1/", "/anthropic/")):
        return Breach(400, "api-version") if version and path.startswith("/openai/v1/") else None
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(-preview)?", version):
        return Breach(404, None)
    if api in ("responses", "stored") and version[:10] < _RESPONSES_SINCE:
        return Breach(400, "old-version")
    return None


def model_breach(api: str, ask: Ask, body: Json, base: str) -> Breach | None:
    """Return why a base model cannot serve this request through this api, or None."""
    if "embedding" in base:
        operation = "chatCompletion" if api == "chat" else "responses"
        return Breach(400, "OperationNotSupported", model=base, operation=operation)
    if body.get("stream") is True and _WHOLE_ONLY.fullmatch(base):
        return Breach(400, "no-stream")
    if api != "chat":
        return None
    if _RESPONSES_ONLY.search(base):
        return Breach(400, "OperationNotSupported", model=base, operation="chatCompletion")
    functions = any(not tool.custom for tool in ask.tools)
    found = _VERSION.match(base)
    version = (int(found[1]), int(found[2] or 0)) if found is not None else (0, 0)
    # Without an effort, 5.4 and 5.5 do not reason; from 5.6 on they do.
    reasons = ask.effort not in (None, "none") or (ask.effort is None and version >= (5, 6))
    if functions and version >= (5, 4) and reasons:
        return Breach(400, "tools-with-effort", model=base)
    if not _REASONING.match(base):
        return None
    for name, default in _FIXED.items():
        if body.get(name) is not None and body[name] != default:
            return Breach(400, "unsupported_value", param=name)
    absent = next((name for name in _ABSENT if body.get(name)), None)
    return None if absent is None else Breach(400, "unsupported_parameter", param=absent)

"""Error bodies in the shapes that OpenAI, Azure, Anthropic and the LiteLLM proxy document.  Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping

Json = Mapping[str, object]


def openai_style(message: str = "no", code: str | None = None, kind: str | None = None, **more: object) -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def cognitive(code: str, message: str = "no") -> Json:
    return {"error": {"code": code, "message": message}}


def claude(kind: str, message: str = "no", error_code: str | None = None) -> Json:
    """As Anthropic puts it, directly and on Foundry."""
    details = {} if error_code is None else {"details": {"error_code": error_code}}
    return {"type": "error", "error": {"type": kind, "message": message, **details}, "request_id": "req_1"}


def proxied(status: int, message: str, kind: str = "invalid_request_error", **more: object) -> Json:
    """As the LiteLLM proxy puts it: the code is the status as text, the provider's code is gone."""
    return {"error": {"message": message, "type": kind, "param": None, "code": str(status), **more}}


FILTERED = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
    "Please modify your prompt and retry."
)

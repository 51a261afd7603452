"""How a stream breaks off: where, and with which last words of its role.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from chatsheet_llm.sandbox.bodies import STATUS_OF, RoleName
from chatsheet_llm.sandbox.shapes import DONE, Event, Json, obj


def break_at(events: Sequence[Event], after: int) -> int:
    """Return how many events remain of a stream that breaks after so many content events.

    0 stops before the first content event.  What follows the last content event (reasons to stop, usage, terminal
    events) never remains; a stream with no content keeps its first event only.
    """
    contents = [at for at, event in enumerate(events) if event.content]
    if not contents:
        return min(1, len(events))
    return contents[min(after, len(contents)) - 1] + 1 if after else contents[0]


def last_words(
    role: RoleName, api: str, kept: Sequence[Event], *, code: str, message: str, failed: bool
) -> list[Event]:
    """Return the events that end a stream in an error.  ``failed`` asks for Responses' own ``response.failed``."""
    if api == "messages":
        return [Event({"type": "error", "error": {"type": code, "message": message}}, name="error")]
    if api == "chat":
        return [Event({"error": _chat_error(role, code, message)})]
    opening = obj(obj(kept[0].data).get("response"))
    broken: Json = {**opening, "status": "failed", "error": {"code": code, "message": message}}
    at = len(kept)
    if role == "litellm":  # every failure becomes response.failed; the code of an error event is lost on the way
        if not failed:
            broken["error"] = {"code": "server_error", "message": f"Response API in-stream error: {message}"}
        return [_failed(at, broken), DONE]
    if failed:
        return [_failed(at, broken)]
    if role == "azure" and STATUS_OF.get(code) == 429:
        # two events: a failure that says nothing, then the reason
        error: Json = {
            "type": "too_many_requests",
            "code": code,
            "headers": {"x-ms-fe-error": "true"},
            "message": "Your requests to the deployment have exceeded rate limit.",
        }
        silent: Json = {**opening, "status": "failed", "error": None, "incomplete_details": None}
        return [_failed(at, silent), Event({"type": "error", "error": error}, name="error")]
    flat: Json = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": at}
    return [Event(flat, name="error")]


def _failed(number: int, response: Json) -> Event:
    fields: Json = {"type": "response.failed", "sequence_number": number, "response": response}
    return Event(fields, name="response.failed")


def _chat_error(role: RoleName, code: str, message: str) -> Json:
    if role == "litellm":
        said = f"litellm.APIError: AzureException - {message}"
        return {"message": said, "type": None, "param": None, "code": str(STATUS_OF.get(code, 500))}
    kind = "server_error" if STATUS_OF.get(code, 500) >= 500 else "invalid_request_error"
    return {"message": message, "type": kind, "param": None, "code": code}

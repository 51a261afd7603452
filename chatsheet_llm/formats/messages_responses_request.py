"""Messages request -> Responses request.  Lists what Responses cannot hold; never guesses, never sends it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from chatsheet_llm.formats.errors import FormatError, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.messages_responses_input import messages_to_input
from chatsheet_llm.formats.messages_responses_parts import lose_rest
from chatsheet_llm.formats.messages_responses_tables import (
    DISPLAYS,
    HOSTED_TOOLS,
    LEAST_TOKENS,
    LONGEST_USER,
    LOST_THINKING,
    MESSAGES_PARAMETERS,
    SERVICE_TIERS,
    THINKING,
    TOOL_CHOICES,
)
from chatsheet_llm.formats.request import Converter, Request
from chatsheet_llm.route import Loss

SCHEMA_NAME = "response_format"
"""The name of the schema for the answer, which Responses requires and Messages does not have."""

SEALS = "reasoning.encrypted_content"


def messages_to_responses(
    body: Mapping[str, object], places: dict[str, str] | None = None
) -> tuple[dict[str, object], list[Loss]]:
    """Return the Responses body that asks for the same as a Messages body, and what it could not ask for.

    A ``system`` of one string becomes ``instructions``, a list of blocks the system message that begins the input.
    Opposite defaults are made explicit: ``store`` is false, and ``strict`` is false for each tool that does not set
    it.  Roles and the order of messages stay as they are.  Values are passed unchecked, the provider judges them.  The
    result shares nested values with ``body``, which is never changed.

    Adaptive thinking is what a model of Responses does unasked.  A document without a title gets the file name
    ``document`` that Responses requires, and a schema the name ``response_format``.  A user id that is too long is
    told by its digest, which names the same user each time.  Losses of what an earlier reply left, of labels and of
    hints about cost are minor.

    Messages always returns the seals of its reasoning, so ``include`` asks for them where the caller asks for thinking
    or hands some back; models without reasoning refuse it.

    With ``places`` the result is a pivot on the way to a third format: ``places`` takes where each thing stood (path in
    the result -> path in ``body``), what only Messages and that format have (a rule's ``pivot``) is placed as well, and
    no seals are asked for.

    Raises FormatError when the messages or tools are not Messages' own.
    """
    if "messages" not in body:
        raise FormatError("messages", "is missing")
    on = Request(body, Ledger("responses"), places)
    on.walk(MESSAGES_PARAMETERS, _CONVERTERS, api="Messages", required="messages")
    on.result["store"] = False
    if places is None and _reasons(body, on.result):
        on.result["include"] = [SEALS]
    return on.result, on.ledger.losses


def _reasons(body: Mapping[str, object], result: Mapping[str, object]) -> bool:
    """Whether the caller asks for thinking, or hands back some that a reasoning model left."""
    items = result["input"]
    assert isinstance(items, list)
    if any(item["type"] == "reasoning" for item in items):
        return True
    asked = _kind(body.get("thinking"))
    reasoning = result.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    return asked != "disabled" and (asked is not None or effort is not None)


def _kind(value: object) -> object:
    return value.get("type") if isinstance(value, Mapping) else None


def _cache_control(on: Request, value: object) -> None:
    del value
    on.ledger.lose("cache_control", "a hint about cost: Responses marks the end of a prompt by itself", minor=True)


def _max_tokens(on: Request, value: object) -> None:
    if value == 0:
        on.ledger.lose("max_tokens", "0 asks to fill the cache and for no answer, and Responses always answers")
    elif on.places is None and isinstance(value, int) and value < LEAST_TOKENS:
        on.ledger.lose("max_tokens", f"Responses takes no limit below {LEAST_TOKENS} tokens")
    else:
        on.place("max_output_tokens", value, "max_tokens")


def _messages(on: Request, value: object) -> None:
    on.result["input"] = messages_to_input(value, on.body.get("system"), on.ledger, on.places)
    if on.places is not None:
        on.places["input"] = "messages"


def _system(on: Request, value: object) -> None:
    # A list of blocks is the first message of the input.
    if not isinstance(value, (list, tuple)):
        on.place("instructions", string(on.body, "system", ""), "system")


def _metadata(on: Request, value: object) -> None:
    given = mapping(value, "metadata")
    user = given.get("user_id")
    if isinstance(user, str) and len(user) > LONGEST_USER:
        reason = f"Responses takes {LONGEST_USER} characters, so the SHA-256 digest of it is sent"
        on.ledger.lose("metadata.user_id", reason, minor=True)
        user = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
    if user is not None:
        on.place("safety_identifier", user, "metadata.user_id")
    lose_rest(on.ledger, given, "metadata", "metadata")


def _service_tier(on: Request, value: object) -> None:
    tier = SERVICE_TIERS.get(value) if isinstance(value, str) else None
    if tier is None:
        on.ledger.lose("service_tier", f"Responses has no service tier for {named(value)}")
    else:
        on.place("service_tier", tier, "service_tier")


def _thinking(on: Request, value: object) -> None:
    given = mapping(value, "thinking")
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in THINKING:
        unknown = f"{named(kind)} is not a kind of thinking, its meaning is unknown"
        on.ledger.lose("thinking", LOST_THINKING.get(str(kind), unknown))
        return
    if THINKING[kind]:
        on.place("reasoning.effort", THINKING[kind], "thinking")
    display = given.get("display")
    if isinstance(display, str) and display in DISPLAYS:
        if DISPLAYS[display]:
            on.place("reasoning.summary", DISPLAYS[display], "thinking.display")
    elif display is not None:
        on.ledger.lose("thinking.display", f"Responses cannot show reasoning as {named(display)}")
    lose_rest(on.ledger, given, "thinking_config", "thinking")


def _output_config(on: Request, value: object) -> None:
    given = mapping(value, "output_config")
    if given.get("effort") is not None:
        if _kind(on.body.get("thinking")) == "disabled":
            on.ledger.lose("output_config.effort", "thinking is disabled, and Responses has no other effort")
        else:
            on.place("reasoning.effort", given["effort"], "output_config.effort")
    if given.get("format") is not None:
        _format(on, given["format"], "output_config.format")
    lose_rest(on.ledger, given, "output_config", "output_config")


def _output_format(on: Request, value: object) -> None:
    """The old name of ``output_config.format``."""
    config = on.body.get("output_config")
    other = config.get("format") if isinstance(config, Mapping) else None
    if other is None:
        _format(on, value, "output_format")
    elif other != value:
        on.ledger.lose("output_format", "output_config asks for another format, and there is one")


def _format(on: Request, value: object, path: str) -> None:
    given = mapping(value, path)
    kind = given.get("type")
    if kind != "json_schema":
        on.ledger.lose(path, f"Responses has no format {named(kind)}")
        return
    schema = mapping(given.get("schema"), f"{path}.schema")
    # Messages always keeps to the schema.
    made = {"type": kind, "name": SCHEMA_NAME, "schema": schema, "strict": True}
    on.place("text.format", made, path)
    lose_rest(on.ledger, given, "json_schema", path)


def _tools(on: Request, value: object) -> None:
    kept: list[Object] = []
    for path, tool in objects(value, "tools"):
        if not _is_custom(tool):
            kind = tool.get("type")
            unknown = f"{named(kind)} is not a tool of Messages, its meaning is unknown"
            hosted = isinstance(kind, str) and re.sub(r"_\d{8}$", "", kind) in HOSTED_TOOLS
            on.ledger.lose(path, "it is a tool of the Messages API's provider" if hosted else unknown)
            continue
        if on.places is not None:
            here = f"tools[{len(kept)}]"
            on.places.update({here: path, f"{here}.parameters": f"{path}.input_schema"})
        kept.append(_function(on.ledger, tool, path))
    if kept:
        on.result["tools"] = kept


def _is_custom(tool: Mapping[str, object]) -> bool:
    return tool.get("type") in (None, "custom")


def _function(ledger: Ledger, tool: Mapping[str, object], path: str) -> Object:
    flat: Object = {"type": "function", "name": string(tool, "name", path)}
    if tool.get("description") is not None:
        flat["description"] = tool["description"]
    flat["parameters"] = mapping(tool.get("input_schema"), f"{path}.input_schema")
    flat["strict"] = False if tool.get("strict") is None else tool["strict"]
    if tool.get("defer_loading"):
        flat["defer_loading"] = tool["defer_loading"]
    lose_rest(ledger, tool, "custom", path)
    return flat


def _tool_choice(on: Request, value: object) -> None:
    given = mapping(value, "tool_choice")
    kind = given.get("type")
    if kind == "tool":
        _named_tool(on, string(given, "name", "tool_choice"))
    elif isinstance(kind, str) and kind in TOOL_CHOICES:
        on.place("tool_choice", TOOL_CHOICES[kind], "tool_choice")
    else:
        on.ledger.lose("tool_choice", f"{named(kind)} is not a choice of Messages, its meaning is unknown")
    if given.get("disable_parallel_tool_use"):
        on.place("parallel_tool_calls", False, "tool_choice.disable_parallel_tool_use")
    lose_rest(on.ledger, given, "tool_choice", "tool_choice")


def _named_tool(on: Request, name: str) -> None:
    tools = on.body.get("tools")
    hosted = [tool for _, tool in objects([] if tools is None else tools, "tools") if not _is_custom(tool)]
    if any(tool.get("name") == name for tool in hosted):
        on.ledger.lose("tool_choice", "it names a tool that Responses does not have")
    else:
        on.place("tool_choice", {"type": "function", "name": name}, "tool_choice")


_CONVERTERS: Mapping[str, Converter] = {
    "cache_control": _cache_control,
    "max_tokens": _max_tokens,
    "messages": _messages,
    "metadata": _metadata,
    "output_config": _output_config,
    "output_format": _output_format,
    "service_tier": _service_tier,
    "system": _system,
    "thinking": _thinking,
    "tool_choice": _tool_choice,
    "tools": _tools,
}

"""Responses request -> Messages request.  Lists what Messages cannot hold; never guesses, never sends it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from chatsheet_llm.formats.errors import elements, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.request import Converter, Request
from chatsheet_llm.formats.responses_messages_input import input_to_messages
from chatsheet_llm.formats.responses_messages_parts import lose_rest
from chatsheet_llm.formats.responses_messages_sampling import by_budget, refused
from chatsheet_llm.formats.responses_messages_schema import enforceable
from chatsheet_llm.formats.responses_messages_tables import (
    EFFORTS,
    FREE_INCLUDES,
    RESPONSES_PARAMETERS,
    SERVICE_TIERS,
    STRICT_TOOLS,
    SUMMARIES,
    TOOL_CHOICES,
    TOOLS,
    USER_LENGTH,
)
from chatsheet_llm.formats.shapes import place
from chatsheet_llm.route import Loss


def responses_to_messages(body: Mapping[str, object]) -> tuple[dict[str, object], list[Loss]]:
    """Return the Messages body that asks for the same as a Responses body, and what it could not ask for.

    ``max_tokens``, which Messages requires, is there only if the body limits the answer; whoever sends it fills it in.
    ``developer`` and ``system`` are one role in Messages, at the level of both.  A function's ``strict`` that is not
    set stays unset, which is a minor loss: Responses would enforce the schema, but Messages refuses a request with too
    many strict functions, so those beyond its limit lose theirs too.  A schema for the answer is always kept to, so
    ``strict: false`` there is less than Messages does and no loss.  What Messages cannot enforce of a schema stands in
    its descriptions.  Whether it takes ``temperature`` and ``top_p`` is told by the ``model``, which is to be the
    name that the hop knows.  Other values are passed unchecked, the provider judges them.  The result shares nested
    values with ``body``, which is never changed.  Losses of what an earlier reply left are minor, and so are those of
    names.

    ``body`` may hold ``stop``, which Responses itself does not have: the stop sequences of a Chat request on its way.

    Raises FormatError when the input or the tools are not those of Responses.
    """
    on = Request(body, Ledger("messages"))
    on.walk(RESPONSES_PARAMETERS, _CONVERTERS, api="Responses")
    result, ledger = on.result, on.ledger
    result.setdefault("messages", [])
    if body.get("tools") and not result.get("tools") and (choice := result.pop("tool_choice", None)) is not None:
        told = {
            "tool_choice": body.get("tool_choice") is not None,
            "parallel_tool_calls": isinstance(choice, Mapping) and "disable_parallel_tool_use" in choice,
        }
        for name in (name for name, said in told.items() if said):
            ledger.lose(name, "none of the tools that it is about has a place in Messages")
    return result, ledger.losses


def _conversation(on: Request, value: object) -> None:
    del value
    if "messages" in on.result:
        return
    messages, system = input_to_messages(on.body.get("input"), on.body.get("instructions"), on.ledger)
    if system:
        on.result["system"] = system
    on.result["messages"] = messages


def _include(on: Request, value: object) -> None:
    for index, wanted in enumerate(elements(value, "include")):
        if wanted not in FREE_INCLUDES:
            on.ledger.lose(f"include[{index}]", f"Messages cannot return {named(wanted)}")


def _stop(on: Request, value: object) -> None:
    if not isinstance(value, (str, list, tuple)):
        on.result["stop_sequences"] = value
        return
    given = {"stop": value} if isinstance(value, str) else {f"stop[{at}]": entry for at, entry in enumerate(value)}
    blank = [path for path, entry in given.items() if isinstance(entry, str) and not entry.strip()]
    for path in blank:
        on.ledger.lose(path, "Messages does not stop at white space alone")
    if len(blank) < len(given):
        on.result["stop_sequences"] = [entry for path, entry in given.items() if path not in blank]


def _sampling(name: str) -> Converter:
    def convert(on: Request, value: object) -> None:
        reason = refused(name, value, on.body)
        if reason is None:
            on.result[name] = value
        else:
            on.ledger.lose(name, reason)

    return convert


def _user(on: Request, value: object) -> None:
    other = on.body.get("safety_identifier")
    if other is None:
        _place_user(on, "user", value)
    elif other != value:
        on.ledger.lose("user", "safety_identifier names another one, and there is one user")


def _safety_identifier(on: Request, value: object) -> None:
    _place_user(on, "safety_identifier", value)


def _place_user(on: Request, name: str, value: object) -> None:
    if isinstance(value, str) and len(value) > USER_LENGTH:
        why = f"Messages takes {USER_LENGTH} characters, so the SHA-256 digest of it was sent"
        on.ledger.lose(name, why, minor=True)
        value = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    place(on.result, "metadata.user_id", value)


def _service_tier(on: Request, value: object) -> None:
    tier = SERVICE_TIERS.get(value) if isinstance(value, str) else None
    if tier is None:
        on.ledger.lose("service_tier", f"Messages has no service tier {named(value)}")
    else:
        on.result["service_tier"] = tier


def _stream_options(on: Request, value: object) -> None:
    lose_rest(on.ledger, mapping(value, "stream_options"), "stream_options", "stream_options")


def _reasoning(on: Request, value: object) -> None:
    given = mapping(value, "reasoning")
    effort = given.get("effort")
    if effort == "none":
        on.result["thinking"] = {"type": "disabled"}
    elif effort is not None and by_budget(on.body):
        on.ledger.lose("reasoning.effort", "this model of Messages thinks by a budget of tokens, not by effort")
    elif effort in EFFORTS:
        place(on.result, "output_config.effort", effort)
        on.result["thinking"] = {"type": "adaptive"}
    elif effort is not None:
        on.ledger.lose("reasoning.effort", f"Messages has no effort {named(effort)}")
    _summary(on, given)
    lose_rest(on.ledger, given, "reasoning_config", "reasoning")


def _summary(on: Request, given: Mapping[str, object]) -> None:
    """Ask for readable thinking.  ``generate_summary`` is the old name of ``summary``."""
    names = [name for name in ("summary", "generate_summary") if given.get(name) is not None]
    if not names:
        return
    wording, path = given[names[0]], f"reasoning.{names[0]}"
    if given.get("effort") == "none":
        on.ledger.lose(path, "there is no reasoning to summarize", minor=True)
    elif wording not in SUMMARIES:
        on.ledger.lose(path, f"Messages has no summary {named(wording)}")
    elif by_budget(on.body):
        on.ledger.lose(path, "this model of Messages shows its thinking only with a budget of tokens")
    else:
        on.result["thinking"] = {"type": "adaptive", "display": "summarized"}
        if wording != "auto":
            on.ledger.lose(path, f"Messages has one kind of summary, not {named(wording)} ones", minor=True)
    for other in names[1:]:
        if given[other] != wording:
            on.ledger.lose(f"reasoning.{other}", "summary asks for another one, and there is one")


def _text(on: Request, value: object) -> None:
    config = mapping(value, "text")
    lose_rest(on.ledger, config, "text_config", "text")
    if config.get("format") is None:
        return
    given = mapping(config["format"], "text.format")
    kind = given.get("type")
    if kind == "json_schema" and given.get("schema") is None:
        on.ledger.lose("text.format", "Messages has no format without a schema")
    elif kind == "json_schema":
        schema = _described(on, given, mapping(given.get("schema"), "text.format.schema"))
        made = {"type": "json_schema", "schema": enforceable(schema, "text.format.schema", on.ledger)}
        place(on.result, "output_config.format", made)
        lose_rest(on.ledger, given, "json_schema", "text.format")
    elif kind == "text":
        lose_rest(on.ledger, given, "text", "text.format")
    else:
        on.ledger.lose("text.format", f"Messages has no format {named(kind)}")


def _described(on: Request, given: Mapping[str, object], schema: Mapping[str, object]) -> Mapping[str, object]:
    """The schema with the description of its format, for which Messages has no other place."""
    words, own = given.get("description"), schema.get("description")
    if words is None or words == own:
        return schema
    if own:
        on.ledger.lose("text.format.description", "the schema has another one, and Messages has one place", minor=True)
        return schema
    return {**schema, "description": words}


def _tools(on: Request, value: object) -> None:
    kept: list[Object] = []
    for path, tool in objects(value, "tools"):
        kind = tool.get("type")
        if kind == "function":
            strict = _strict(on.ledger, tool, path, sum(1 for before in kept if before.get("strict")))
            kept.append(_function(on.ledger, tool, path, strict=strict))
        else:
            unknown = f"{named(kind)} is not a tool of Responses, its meaning is unknown"
            on.ledger.lose(path, TOOLS.get(kind, unknown) if isinstance(kind, str) else unknown)
    if kept:
        on.result["tools"] = kept


def _strict(ledger: Ledger, tool: Mapping[str, object], path: str, before: int) -> bool:
    """Whether a function goes as a strict one, behind that many others."""
    strict = tool.get("strict")
    if strict is None:
        why = "Responses enforces the schema where nothing is said, Messages only where it is told to"
        ledger.lose(f"{path}.strict", why, minor=True)
    elif strict and before >= STRICT_TOOLS:
        why = f"Messages takes {STRICT_TOOLS} strict tools a request, and as many stand before this one"
        ledger.lose(f"{path}.strict", why)
    return bool(strict) and before < STRICT_TOOLS


def _function(ledger: Ledger, tool: Mapping[str, object], path: str, *, strict: bool) -> Object:
    made: Object = {"name": string(tool, "name", path)}
    if tool.get("description") is not None:
        made["description"] = tool["description"]
    given = tool.get("parameters")
    parameters = {"properties": {}} if given is None else mapping(given, f"{path}.parameters")
    # Messages requires the type, which can be no other.
    parameters = parameters if parameters.get("type") is not None else {**parameters, "type": "object"}
    made["input_schema"] = enforceable(parameters, f"{path}.parameters", ledger) if strict else parameters
    # False is what Messages does without them.
    made |= {"strict": tool["strict"]} if strict else {}
    made |= {"defer_loading": tool["defer_loading"]} if tool.get("defer_loading") else {}
    lose_rest(ledger, tool, "function", path)
    return made


def _tool_choice(on: Request, value: object) -> None:
    """Place the choice, and with it whether calls may be parallel: Messages has both in one object.

    Without tools a choice between none and any of them says nothing, and Messages refuses one.
    """
    choice = _choice(on, value)
    if choice is None or (not on.body.get("tools") and choice["type"] in ("auto", "none")):
        return
    if on.body.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    on.result["tool_choice"] = choice


def _choice(on: Request, value: object) -> Object | None:
    if isinstance(value, str) and value in TOOL_CHOICES:
        return {"type": TOOL_CHOICES[value]}
    kind = value.get("type") if isinstance(value, Mapping) else value
    if isinstance(value, Mapping) and kind == "function":
        lose_rest(on.ledger, value, "tool_choice", "tool_choice")
        return {"type": "tool", "name": string(value, "name", "tool_choice")}
    choice = _allowed(on, value) if isinstance(value, Mapping) and kind == "allowed_tools" else None
    if choice is None:
        why = "Messages offers all tools or one" if kind == "allowed_tools" else f"Messages has no choice {named(kind)}"
        on.ledger.lose("tool_choice", why)
        # One call at a time is still asked for, whichever tool it is.
        choice = {"type": "auto"} if on.body.get("parallel_tool_calls") is False else None
    return choice


def _allowed(on: Request, value: Mapping[str, object]) -> Object | None:
    """The choice that says the same as a list of allowed tools: all of them, or the one that must be called."""
    allowed = [(tool.get("type"), tool.get("name")) for _, tool in objects(value.get("tools"), "tool_choice.tools")]
    given = on.body.get("tools")
    offered = [(tool.get("type"), tool.get("name")) for _, tool in objects([] if given is None else given, "tools")]
    if any(kind != "function" for kind, _ in allowed):
        return None
    choice: Object | None = None
    mode = value.get("mode")
    if mode in ("auto", "required") and all(tool in allowed for tool in offered):
        choice = {"type": TOOL_CHOICES[str(mode)]}
    elif mode == "required" and len(allowed) == 1:
        choice = {"type": "tool", "name": allowed[0][1]}
    if choice is not None:
        lose_rest(on.ledger, value, "allowed_tools", "tool_choice")
    return choice


def _parallel(on: Request, value: object) -> None:
    del value
    if on.body.get("tool_choice") is None:
        _tool_choice(on, "auto")


_CONVERTERS: Mapping[str, Converter] = {
    "include": _include,
    "input": _conversation,
    "instructions": _conversation,
    "parallel_tool_calls": _parallel,
    "reasoning": _reasoning,
    "safety_identifier": _safety_identifier,
    "service_tier": _service_tier,
    "stop": _stop,
    "stream_options": _stream_options,
    "temperature": _sampling("temperature"),
    "text": _text,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "top_p": _sampling("top_p"),
    "user": _user,
}

"""Chat Completions request -> Responses request.  Lists what Responses cannot hold; never guesses, never sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chatsheet_llm.formats.chat_responses_input import messages_to_input
from chatsheet_llm.formats.chat_responses_parts import lose_rest
from chatsheet_llm.formats.errors import FormatError, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.request import Converter, Request
from chatsheet_llm.formats.shapes import place
from chatsheet_llm.formats.tables import CHAT_PARAMETERS, LEAST_TOKENS, Rule
from chatsheet_llm.route import Loss

__all__ = ["CHAT_PARAMETERS", "Rule", "chat_to_responses"]


def chat_to_responses(
    body: Mapping[str, object], places: dict[str, str] | None = None
) -> tuple[dict[str, object], list[Loss]]:
    """Return the Responses body that asks for the same as a Chat Completions body, and what it could not ask for.

    Opposite defaults are made explicit: ``store`` is false unless the caller stores, and ``strict`` is false for each
    tool and schema that does not set it.  Roles and the order of messages stay as they are; nothing becomes
    ``instructions``.  Values are passed unchecked, the provider judges them.  The result shares nested values with
    ``body``, which is never changed.  Losses of earlier output handed back in a message, and of hints about cost, are
    minor.  Legacy ``functions`` become tools; as the answer then holds ``tool_calls``, they are a loss all the same.

    With ``places`` the result is a pivot on the way to a third format: ``places`` takes where each thing stood (path in
    the result -> path in ``body``), and what only Chat and that format have is placed as well: a rule's ``pivot``,
    small limits, marks for the cache of Messages.

    Raises FormatError when the messages or tools are not Chat Completions' own.
    """
    if "messages" not in body:
        raise FormatError("messages", "is missing")
    on = Request(body, Ledger("responses"), places)
    on.walk(CHAT_PARAMETERS, _CONVERTERS, api="Chat Completions", required="messages")
    if places is not None:
        for name in body:
            rule = CHAT_PARAMETERS.get(name)
            if rule is not None and rule.target:
                places.setdefault(rule.target, name)
    on.result.setdefault("store", False)
    return on.result, on.ledger.losses


def _messages(on: Request, value: object) -> None:
    on.result["input"] = messages_to_input(value, ledger=on.ledger, places=on.places)


def _max_tokens(on: Request, value: object) -> None:
    if on.body.get("max_completion_tokens") in (None, value):
        _limit(on, "max_tokens", value)
    else:
        on.ledger.lose("max_tokens", "max_completion_tokens asks for another limit, and there is one")


def _max_completion_tokens(on: Request, value: object) -> None:
    _limit(on, "max_completion_tokens", value)


def _limit(on: Request, name: str, value: object) -> None:
    """Place the limit.  One that is too small for Responses may be right for the format behind a pivot."""
    if on.places is not None:
        on.places["max_output_tokens"] = name
    elif isinstance(value, int) and value < LEAST_TOKENS:
        on.ledger.lose(name, f"Responses takes no limit below {LEAST_TOKENS} tokens")
        return
    on.result["max_output_tokens"] = value


def _logprobs(on: Request, value: object) -> None:
    del value
    on.result["include"] = ["message.output_text.logprobs"]
    if on.places is not None:
        on.places["include[0]"] = "logprobs"


def _top_logprobs(on: Request, value: object) -> None:
    if on.body.get("logprobs"):
        on.result["top_logprobs"] = value
    elif value:
        on.ledger.lose("top_logprobs", "needs logprobs: true, as it does in Chat Completions")


def _stream_options(on: Request, value: object) -> None:
    options = mapping(value, "stream_options")
    if options.get("include_obfuscation") is not None:
        on.result["stream_options"] = {"include_obfuscation": options["include_obfuscation"]}
    # Responses always sends the usage; ResponsesToChatStream shows or hides it.
    on.ledger.rest(options, {"include_usage", "include_obfuscation"}, "stream_options")


def _response_format(on: Request, value: object) -> None:
    given = mapping(value, "response_format")
    kind = given.get("type")
    if kind in ("text", "json_object"):
        place(on.result, "text.format", {"type": kind})
        on.ledger.rest(given, {"type"}, "response_format")
    elif kind == "json_schema":
        path = "response_format.json_schema"
        schema = mapping(given.get("json_schema"), path)
        carried = ("name", "description", "schema", "strict")
        flat: Object = {"type": kind} | {name: schema[name] for name in carried if schema.get(name) is not None}
        flat.setdefault("strict", False)
        place(on.result, "text.format", flat)
        on.ledger.rest(given, {"type", "json_schema"}, "response_format")
        on.ledger.rest(schema, carried, path)
        if on.places is not None:
            on.places.update({f"text.format.{name}": f"{path}.{name}" for name in carried})
    else:
        on.ledger.lose("response_format", f"Responses has no format {named(kind)}")


def _tools(on: Request, value: object) -> None:
    for path, tool in objects(value, "tools"):
        kind = tool.get("type")
        convert = _TOOLS.get(kind) if isinstance(kind, str) else None
        if convert is None:
            on.ledger.lose(path, f"{named(kind)} is not a tool of Chat Completions, its meaning is unknown")
        else:
            flat = convert(on.ledger, mapping(tool.get(str(kind)), f"{path}.{kind}"), f"{path}.{kind}")
            lose_rest(on.ledger, tool, {"type", str(kind)}, path)
            _add_tool(on, flat, f"{path}.{kind}")
    on.result.setdefault("tools", [])


def _functions(on: Request, value: object) -> None:
    if value:
        on.ledger.lose("functions", "they become tools, so a call comes back as tool_calls")
    for path, function in objects(value, "functions"):
        _add_tool(on, _function_tool(on.ledger, function, path), path)
    on.result.setdefault("tools", [])
    # A legacy answer holds one call at most.
    if on.body.get("parallel_tool_calls") is None:
        on.result["parallel_tool_calls"] = False


def _add_tool(on: Request, tool: Object, path: str) -> None:
    known = on.result.setdefault("tools", [])
    assert isinstance(known, list)
    if on.places is not None:
        on.places[f"tools[{len(known)}]"] = path
    known.append(tool)


def _function_tool(ledger: Ledger, function: Mapping[str, object], path: str) -> Object:
    carried = ("name", "description", "parameters", "strict")
    flat: Object = {"type": "function", "name": string(function, "name", path)}
    if function.get("description") is not None:
        flat["description"] = function["description"]
    strict = function.get("strict")
    flat["parameters"] = function.get("parameters")
    if flat["parameters"] is None:
        # In Chat an omitted schema is an empty parameter list; a strict one has to say that it is closed.
        flat["parameters"] = {"type": "object", "properties": {}} | ({"additionalProperties": False} if strict else {})
    flat["strict"] = False if strict is None else strict
    lose_rest(ledger, function, carried, path)
    return flat


def _custom_tool(ledger: Ledger, custom: Mapping[str, object], path: str) -> Object:
    flat: Object = {"type": "custom", "name": string(custom, "name", path)}
    if custom.get("description") is not None:
        flat["description"] = custom["description"]
    lose_rest(ledger, custom, {"name", "description", "format"}, path)
    if custom.get("format") is not None:
        given = mapping(custom["format"], f"{path}.format")
        if given.get("type") == "grammar":
            grammar = mapping(given.get("grammar"), f"{path}.format.grammar")
            flat["format"] = {"type": "grammar", **grammar}
            ledger.rest(given, {"type", "grammar"}, f"{path}.format")
        else:
            flat["format"] = dict(given)
    return flat


def _tool_choice(on: Request, value: object) -> None:
    if on.places is not None:
        on.places["tool_choice"] = "tool_choice"
    if not isinstance(value, Mapping):
        on.result["tool_choice"] = value
        return
    if on.places is not None:
        nested = f"tool_choice.{value.get('type')}"
        on.places.update({f"tool_choice.{name}": f"{nested}.{name}" for name in ("name", "mode", "tools")})
    if value.get("type") != "allowed_tools":
        on.result["tool_choice"] = _tool_name(on.ledger, value, "tool_choice")
        return
    path = "tool_choice.allowed_tools"
    allowed = mapping(value.get("allowed_tools"), path)
    on.result["tool_choice"] = {
        "type": "allowed_tools",
        "mode": string(allowed, "mode", path),
        "tools": [_tool_name(on.ledger, tool, at) for at, tool in objects(allowed.get("tools"), f"{path}.tools")],
    }
    on.ledger.rest(value, {"type", "allowed_tools"}, "tool_choice")
    on.ledger.rest(allowed, {"mode", "tools"}, path)


def _tool_name(ledger: Ledger, choice: Mapping[str, object], path: str) -> Object:
    """One named tool, flat.  Chat nests the name under the type, Responses does not."""
    kind = choice.get("type")
    if not isinstance(kind, str) or kind not in _TOOLS:
        raise FormatError(f"{path}.type", f"{named(kind)} is not one of {', '.join(_TOOLS)}")
    tool = mapping(choice.get(kind), f"{path}.{kind}")
    ledger.rest(choice, {"type", kind}, path)
    ledger.rest(tool, {"name"}, f"{path}.{kind}")
    return {"type": kind, "name": string(tool, "name", f"{path}.{kind}")}


def _function_call(on: Request, value: object) -> None:
    if on.body.get("tool_choice") is not None:
        on.ledger.lose("function_call", "tool_choice is set as well, and there is one choice")
    elif isinstance(value, Mapping):
        on.result["tool_choice"] = {"type": "function", "name": string(value, "name", "function_call")}
        on.ledger.rest(value, {"name"}, "function_call")
    else:
        on.result["tool_choice"] = value


_TOOLS: Mapping[str, Callable[[Ledger, Mapping[str, object], str], Object]] = {
    "function": _function_tool,
    "custom": _custom_tool,
}

_CONVERTERS: Mapping[str, Converter] = {
    "function_call": _function_call,
    "functions": _functions,
    "logprobs": _logprobs,
    "max_completion_tokens": _max_completion_tokens,
    "max_tokens": _max_tokens,
    "messages": _messages,
    "response_format": _response_format,
    "stream_options": _stream_options,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "top_logprobs": _top_logprobs,
}

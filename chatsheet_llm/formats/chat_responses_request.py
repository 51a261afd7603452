"""Chat Completions request -> Responses request.  Lists what Responses cannot hold; never guesses, never sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chatsheet_llm.formats.chat_responses_input import Object, is_echo, lost_fields, messages_to_input
from chatsheet_llm.formats.errors import FormatError, mapping, named, objects, string
from chatsheet_llm.formats.tables import CHAT_PARAMETERS, Rule
from chatsheet_llm.route import Loss

__all__ = ["CHAT_PARAMETERS", "Rule", "chat_to_responses", "is_echo"]


def chat_to_responses(body: Mapping[str, object]) -> tuple[dict[str, object], list[Loss]]:
    """Return the Responses body that asks for the same as a Chat Completions body, and what it could not ask for.

    Opposite defaults are made explicit: ``store`` is false unless the caller stores, and ``strict`` is false for each
    tool and schema that does not set it.  Roles and the order of messages stay as they are; nothing becomes
    ``instructions``.  Values are passed unchecked, the provider judges them.  The result shares nested values with
    ``body``, which is never changed.  Losses of earlier output handed back in a message answer to ``is_echo``.
    Legacy ``functions`` become tools; as the answer then holds ``tool_calls``, they are a loss all the same.

    Raises FormatError when the messages or tools are not Chat Completions' own.
    """
    if "messages" not in body:
        raise FormatError("messages", "is missing")
    result: dict[str, object] = {}
    losses: list[Loss] = []
    for name, value in body.items():
        rule = CHAT_PARAMETERS.get(name)
        if name != "messages" and (value is None or (rule is not None and value in rule.neutral)):
            continue
        if rule is None:
            losses.append(
                Loss("responses", name, f"{name!r} is not a Chat Completions parameter, its meaning is unknown")
            )
        elif rule.how == "loss":
            losses.append(Loss("responses", name, rule.reason))
        elif rule.how == "place":
            _place(result, rule.target, value)
        else:
            losses += _CONVERTERS[name](value, body, result)
    result.setdefault("store", False)
    return result, losses


def _place(result: dict[str, object], target: str, value: object) -> None:
    parent, _, name = target.rpartition(".")
    holder = result.setdefault(parent, {}) if parent else result
    assert isinstance(holder, dict)
    holder[name] = value


def _messages(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    result["input"], losses = messages_to_input(value, stored=body.get("store") is True)
    return losses


def _max_tokens(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    other = body.get("max_completion_tokens")
    if other is None:
        result["max_output_tokens"] = value
    elif other != value:
        return [Loss("responses", "max_tokens", "max_completion_tokens asks for another limit, and there is one")]
    return []


def _logprobs(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    del value, body
    result["include"] = ["message.output_text.logprobs"]
    return []


def _top_logprobs(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    if body.get("logprobs"):
        result["top_logprobs"] = value
    elif value:
        return [Loss("responses", "top_logprobs", "needs logprobs: true, as it does in Chat Completions")]
    return []


def _stream_options(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    del body
    options = mapping(value, "stream_options")
    if options.get("include_obfuscation") is not None:
        result["stream_options"] = {"include_obfuscation": options["include_obfuscation"]}
    # Responses always sends the usage; ResponsesToChatStream shows or hides it.
    return lost_fields(options, {"include_usage", "include_obfuscation"}, "stream_options")


def _response_format(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    del body
    given = mapping(value, "response_format")
    kind = given.get("type")
    if kind in ("text", "json_object"):
        _place(result, "text.format", {"type": kind})
        return lost_fields(given, {"type"}, "response_format")
    if kind != "json_schema":
        return [Loss("responses", "response_format", f"Responses has no format {named(kind)}")]
    path = "response_format.json_schema"
    schema = mapping(given.get("json_schema"), path)
    carried = ("name", "description", "schema", "strict")
    flat: Object = {"type": kind} | {name: schema[name] for name in carried if schema.get(name) is not None}
    flat.setdefault("strict", False)
    _place(result, "text.format", flat)
    return lost_fields(given, {"type", "json_schema"}, "response_format") + lost_fields(schema, carried, path)


def _tools(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    del body
    losses: list[Loss] = []
    tools: list[Object] = []
    for path, tool in objects(value, "tools"):
        kind = tool.get("type")
        convert = _TOOLS.get(kind) if isinstance(kind, str) else None
        if convert is None:
            losses.append(
                Loss("responses", path, f"{named(kind)} is not a tool of Chat Completions, its meaning is unknown")
            )
        else:
            flat, lost = convert(mapping(tool.get(str(kind)), f"{path}.{kind}"), f"{path}.{kind}")
            losses += lost + lost_fields(tool, {"type", str(kind)}, path)
            tools.append(flat)
    _add_tools(result, tools)
    return losses


def _functions(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    losses = [Loss("responses", "functions", "they become tools, so a call comes back as tool_calls")] if value else []
    tools: list[Object] = []
    for path, function in objects(value, "functions"):
        flat, lost = _function_tool(function, path)
        tools.append(flat)
        losses += lost
    _add_tools(result, tools)
    # A legacy answer holds one call at most.
    if body.get("parallel_tool_calls") is None:
        result["parallel_tool_calls"] = False
    return losses


def _add_tools(result: dict[str, object], tools: list[Object]) -> None:
    known = result.setdefault("tools", [])
    assert isinstance(known, list)
    known += tools


def _function_tool(function: Mapping[str, object], path: str) -> tuple[Object, list[Loss]]:
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
    return flat, lost_fields(function, carried, path)


def _custom_tool(custom: Mapping[str, object], path: str) -> tuple[Object, list[Loss]]:
    flat: Object = {"type": "custom", "name": string(custom, "name", path)}
    if custom.get("description") is not None:
        flat["description"] = custom["description"]
    losses = lost_fields(custom, {"name", "description", "format"}, path)
    if custom.get("format") is not None:
        given = mapping(custom["format"], f"{path}.format")
        if given.get("type") == "grammar":
            grammar = mapping(given.get("grammar"), f"{path}.format.grammar")
            flat["format"] = {"type": "grammar", **grammar}
            losses += lost_fields(given, {"type", "grammar"}, f"{path}.format")
        else:
            flat["format"] = dict(given)
    return flat, losses


def _tool_choice(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    del body
    if not isinstance(value, Mapping):
        result["tool_choice"] = value
        return []
    if value.get("type") != "allowed_tools":
        result["tool_choice"], losses = _tool_name(value, "tool_choice")
        return losses
    path = "tool_choice.allowed_tools"
    allowed = mapping(value.get("allowed_tools"), path)
    choices = [_tool_name(tool, at) for at, tool in objects(allowed.get("tools"), f"{path}.tools")]
    result["tool_choice"] = {
        "type": "allowed_tools",
        "mode": string(allowed, "mode", path),
        "tools": [tool for tool, _ in choices],
    }
    lost = lost_fields(value, {"type", "allowed_tools"}, "tool_choice") + lost_fields(allowed, {"mode", "tools"}, path)
    return lost + [loss for _, losses in choices for loss in losses]


def _tool_name(choice: Mapping[str, object], path: str) -> tuple[Object, list[Loss]]:
    """One named tool, flat.  Chat nests the name under the type, Responses does not."""
    kind = choice.get("type")
    if not isinstance(kind, str) or kind not in _TOOLS:
        raise FormatError(f"{path}.type", f"{named(kind)} is not one of {', '.join(_TOOLS)}")
    tool = mapping(choice.get(kind), f"{path}.{kind}")
    losses = lost_fields(choice, {"type", kind}, path) + lost_fields(tool, {"name"}, f"{path}.{kind}")
    return {"type": kind, "name": string(tool, "name", f"{path}.{kind}")}, losses


def _function_call(value: object, body: Mapping[str, object], result: dict[str, object]) -> list[Loss]:
    if body.get("tool_choice") is not None:
        return [Loss("responses", "function_call", "tool_choice is set as well, and there is one choice")]
    if isinstance(value, Mapping):
        result["tool_choice"] = {"type": "function", "name": string(value, "name", "function_call")}
        return lost_fields(value, {"name"}, "function_call")
    result["tool_choice"] = value
    return []


_TOOLS: Mapping[str, Callable[[Mapping[str, object], str], tuple[Object, list[Loss]]]] = {
    "function": _function_tool,
    "custom": _custom_tool,
}

_CONVERTERS: Mapping[str, Callable[[object, Mapping[str, object], dict[str, object]], list[Loss]]] = {
    "function_call": _function_call,
    "functions": _functions,
    "logprobs": _logprobs,
    "max_tokens": _max_tokens,
    "messages": _messages,
    "response_format": _response_format,
    "stream_options": _stream_options,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "top_logprobs": _top_logprobs,
}

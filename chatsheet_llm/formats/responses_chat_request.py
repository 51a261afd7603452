"""Responses request -> Chat Completions request.  Lists what Chat cannot hold; never guesses, never sends it."""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.formats.errors import elements, mapping, named, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.request import Converter, Request
from chatsheet_llm.formats.responses_chat_input import input_to_messages
from chatsheet_llm.formats.responses_chat_tables import INCLUDES, MOST_STOPS, OPTIONS, RESPONSES_PARAMETERS
from chatsheet_llm.formats.responses_chat_tools import format_to_chat, tool_choice_to_chat, tools_to_chat
from chatsheet_llm.formats.shapes import place
from chatsheet_llm.route import Loss


def responses_to_chat_request(body: Mapping[str, object]) -> tuple[dict[str, object], list[Loss]]:
    """Return the Chat Completions body that asks for the same as a Responses body, and what it could not ask for.

    ``instructions`` become the first system message.  An absent ``strict`` is spelt out, as the two APIs differ in what
    it means; an object of a schema is closed where Responses closes it.  A stream is asked for its usage, which
    Responses always tells.  ``store`` goes along only when it is true.  Without tools, a choice among them and
    ``parallel_tool_calls`` ask for nothing and are left out, as Chat refuses them then.  Values are passed unchecked,
    the provider judges them.  The result shares nested values with ``body``, which is never changed.  Losses of
    earlier output handed back in the input are minor.

    A ``stop`` in the body is of a third format that came this way, and is placed.

    Raises FormatError when the input or tools are not those of Responses.
    """
    on = Request(body, Ledger("chat"))
    on.walk(RESPONSES_PARAMETERS, _CONVERTERS, api="Responses")
    result, ledger = on.result, on.ledger
    result["messages"] = _messages(body, ledger)
    if body.get("stream") is True:
        # A stream of Responses always ends with the usage.
        place(result, "stream_options.include_usage", True)
    if "tools" not in result:
        # Chat refuses both without tools; of which there is no call then.
        parallel, choice = result.pop("parallel_tool_calls", True), result.get("tool_choice", "auto")
        if choice in ("auto", "none") or body.get("tools"):
            result.pop("tool_choice", None)
        if body.get("tools"):
            said = {"parallel_tool_calls": parallel is not True, "tool_choice": choice not in ("auto", "none")}
            for name in (name for name, told in said.items() if told):
                ledger.lose(name, "none of the tools that it is about has a place in Chat")
    return result, ledger.losses


def _messages(body: Mapping[str, object], ledger: Ledger) -> list[Object]:
    messages: list[Object] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": string(body, "instructions", "")})
    # Without an input, the words are in a stored prompt or response, and those are listed.
    return messages + input_to_messages([] if body.get("input") is None else body["input"], ledger)


def _said_elsewhere(on: Request, value: object) -> None:
    """The words become messages once the parameters are done, so that they stand in one place."""


def _options(name: str) -> Converter:
    def convert(on: Request, value: object) -> None:
        options = mapping(value, name)
        for field, given in options.items():
            rule = OPTIONS[name].get(field)
            if given is None or (rule is not None and given in rule.neutral):
                continue
            if rule is not None and rule.how == "convert":
                _FIELD_CONVERTERS[name, field](on, given)
            elif rule is not None:
                on.settle(rule, f"{name}.{field}", given)
        on.ledger.rest(options, OPTIONS[name], name)

    return convert


def _include(on: Request, value: object) -> None:
    for index, wanted in enumerate(elements(value, "include")):
        rule = INCLUDES.get(wanted) if isinstance(wanted, str) else None
        if rule is None:
            on.ledger.lose(f"include[{index}]", f"{named(wanted)} is not a value of include, its meaning is unknown")
        elif rule.how == "place":
            on.result[rule.target] = True
        else:
            on.settle(rule, f"include[{index}]", wanted)


def _top_logprobs(on: Request, value: object) -> None:
    wanted = on.body.get("include") or []
    if "message.output_text.logprobs" in elements(wanted, "include"):
        on.result["top_logprobs"] = value
    elif value:
        on.ledger.lose("top_logprobs", "needs message.output_text.logprobs in include, as it does in Responses")


def _stop(on: Request, value: object) -> None:
    if isinstance(value, (list, tuple)) and len(value) > MOST_STOPS:
        on.ledger.lose("stop", f"Chat takes at most {MOST_STOPS} stop sequences")
    else:
        on.result["stop"] = value


def _tools(on: Request, value: object) -> None:
    if tools := tools_to_chat(value, on.ledger):
        on.result["tools"] = tools


def _tool_choice(on: Request, value: object) -> None:
    if (choice := tool_choice_to_chat(value, on.ledger)) is not None:
        on.result["tool_choice"] = choice


def _format(on: Request, value: object) -> None:
    if (made := format_to_chat(value, on.ledger)) is not None:
        on.result["response_format"] = made


_CONVERTERS: Mapping[str, Converter] = {
    "include": _include,
    "input": _said_elsewhere,
    "instructions": _said_elsewhere,
    "stop": _stop,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "top_logprobs": _top_logprobs,
    **{name: _options(name) for name in OPTIONS},
}

_FIELD_CONVERTERS: Mapping[tuple[str, str], Converter] = {("text", "format"): _format}

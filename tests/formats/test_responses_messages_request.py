"""Settings of a Responses request in a Messages request: every parameter and field has a place or is listed."""

import copy
from typing import get_args

import pytest
from anthropic.types import ContentBlock, TextCitation, beta
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from openai.types.responses import ResponseOutputItem, response_create_params
from openai.types.responses.response_function_call_output_item_param import ResponseFunctionCallOutputItemParam
from openai.types.responses.response_input_content_param import ResponseInputContentParam
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from openai.types.responses.response_output_message_param import Content
from openai.types.responses.tool_param import FunctionToolParam, ToolParam
from openai.types.shared_params.reasoning import Reasoning
from typing_extensions import get_type_hints

from chatsheet_llm.formats import responses_messages_input, responses_messages_parts, responses_messages_request
from chatsheet_llm.formats import responses_messages_tables as tables
from chatsheet_llm.formats.responses_messages_request import responses_to_messages
from chatsheet_llm.formats.seals import seal_thinking


def translated(body):
    before = copy.deepcopy(body)
    result, losses = responses_to_messages(body)
    assert body == before
    return result, [(loss.path, loss.minor) for loss in losses]


# --- the tables against the SDKs' types ------------------------------------------------------------------------------


def fields(typed_dict):
    return set(get_type_hints(typed_dict))


def members(union):
    if hasattr(union, "model_fields") or hasattr(union, "__required_keys__"):
        return [union]
    return [member for part in get_args(union) for member in members(part)]


def types(union):
    """The literal ``type`` of every member of one of the SDKs' unions."""
    hints = [
        member.model_fields["type"].annotation if hasattr(member, "model_fields") else get_type_hints(member)["type"]
        for member in members(union)
    ]
    return {name for hint in hints for name in literals(hint)}


def literals(hint):
    if isinstance(hint, str):
        return {hint}
    return {name for part in get_args(hint) for name in literals(part)}


def test_every_responses_parameter_of_the_sdk_has_a_row_and_only_stop_is_our_own():
    known = fields(response_create_params.ResponseCreateParamsStreaming)
    known |= fields(response_create_params.ResponseCreateParamsNonStreaming)

    assert set(tables.RESPONSES_PARAMETERS) == known | {"stop"}


def test_every_row_that_converts_has_its_function_and_every_other_row_its_reason_or_place():
    rules = tables.RESPONSES_PARAMETERS.items()

    assert {name for name, rule in rules if rule.how == "convert"} == set(responses_messages_request._CONVERTERS)
    assert all(rule.target or rule.reason for _, rule in rules if rule.how != "convert")


def test_every_row_points_at_a_parameter_that_messages_has():
    targets = {rule.target.split(".")[0] for rule in tables.RESPONSES_PARAMETERS.values() if rule.target}

    assert targets <= fields(MessageCreateParamsStreaming)


def test_messages_has_no_sampling_parameters():
    assert fields(MessageCreateParamsStreaming) & {"temperature", "top_p", "top_k"} == set()


def test_every_item_of_the_sdk_is_carried_or_has_its_reason():
    known = types(ResponseInputItemParam) | types(ResponseOutputItem)

    assert known == set(responses_messages_input._Conversation._ITEMS) | set(tables.LOST_ITEMS)


def test_every_part_of_the_sdk_is_known():
    known = types(ResponseInputContentParam) | types(ResponseFunctionCallOutputItemParam) | types(Content)

    assert known == set(responses_messages_parts._PARTS)


def test_every_tool_of_the_sdk_is_a_function_or_has_its_reason():
    assert types(ToolParam) == set(tables.TOOLS) | {"function"}


def test_every_block_and_citation_that_a_messages_reply_may_have_is_known():
    forms = {"text", "thinking", "redacted_thinking", "tool_use"}

    assert types(ContentBlock) - forms <= tables.MESSAGES_BLOCKS
    assert types(beta.BetaContentBlock) - forms <= tables.MESSAGES_BLOCKS
    assert types(TextCitation) == tables.CITATIONS


@pytest.mark.parametrize(
    "member", [*members(ResponseInputContentParam), *members(Content), FunctionToolParam], ids=lambda m: m.__name__
)
def test_every_field_of_a_part_or_function_is_carried_or_listed(member):
    (kind,) = literals(get_type_hints(member)["type"])
    others = fields(member) - tables.FIELDS[kind].carried
    required = {"text": "x", "refusal": "x", "file_id": "f", "name": "n"}
    given = {name: required[name] for name in required if name in fields(member)} | {"type": kind}
    given |= {name: {"set": True} for name in others}
    body = {"tools": [given]} if kind == "function" else {"input": [{"role": "user", "content": [given]}]}
    path = "tools[0]" if kind == "function" else "input[0].content[0]"
    _, losses = responses_to_messages(body)

    assert {f"{path}.{name}" for name in others} <= {loss.path for loss in losses}


@pytest.mark.parametrize(
    "member",
    [
        member
        for member in [*members(ResponseInputItemParam), *members(ResponseOutputItem)]
        if types(member) & set(responses_messages_input._Conversation._ITEMS)
    ],
    ids=lambda member: member.__name__,
)
def test_every_field_of_an_item_is_carried_or_listed(member):
    (kind,) = types(member)
    aliases = {"async_": "async"}
    names = set(member.model_fields) if hasattr(member, "model_fields") else fields(member)
    others = {aliases.get(name, name) for name in names} - tables.FIELDS[kind].carried
    given = {"type": kind, "role": "user", "content": "x", "call_id": "c", "name": "n", "arguments": "{}", "input": ""}
    given = {name: value for name, value in given.items() if name in {"type", *names}}
    given |= {"output": "x"} if "output" in names else {}
    given |= {"encrypted_content": seal_thinking("thinking", "s"), "content": []} if kind == "reasoning" else {}
    _, losses = responses_to_messages({"input": [given | {name: {"set": True} for name in others}]})

    assert {f"input[0].{name}" for name in others} <= {loss.path for loss in losses}


# --- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [*sorted(n for n, rule in tables.RESPONSES_PARAMETERS.items() if rule.how == "loss"), "seed", "top_k"]
)
def test_a_parameter_without_a_place_is_listed_by_name_and_not_sent(name):
    result, losses = responses_to_messages({name: "set"})

    hint = name.startswith("prompt_cache_")
    assert [(loss.format, loss.path, loss.minor) for loss in losses] == [("messages", name, hint)]
    assert result == {"messages": []}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("background", False),
        ("image", {"context_compression": "auto"}),
        ("include", []),
        ("include", ["reasoning.encrypted_content"]),
        ("metadata", {}),
        ("parallel_tool_calls", True),
        ("parallel_tool_calls", False),
        ("reasoning", {"effort": None, "summary": None, "context": "auto", "mode": "standard"}),
        ("stop", []),
        ("store", False),
        ("stream_options", {"include_obfuscation": False}),
        ("temperature", 1),
        ("temperature", 1.0),
        ("text", {"format": {"type": "text"}}),
        ("text", {"format": None, "verbosity": None}),
        ("tool_choice", "auto"),
        ("tool_choice", "none"),
        ("tools", []),
        ("top_logprobs", 0),
        ("top_p", 1),
        ("truncation", "disabled"),
        *((name, None) for name in tables.RESPONSES_PARAMETERS),
    ],
)
def test_what_both_sides_do_anyway_is_neither_sent_nor_lost(name, value):
    assert translated({name: value}) == ({"messages": []}, [])


@pytest.mark.parametrize(
    ("body", "placed"),
    [
        ({"max_output_tokens": 7}, {"max_tokens": 7}),
        ({"model": "m", "stream": True}, {"model": "m", "stream": True}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"safety_identifier": "u"}, {"metadata": {"user_id": "u"}}),
        ({"user": "u", "safety_identifier": "u"}, {"metadata": {"user_id": "u"}}),
        ({"reasoning": {"effort": "none"}}, {"thinking": {"type": "disabled"}}),
        *(
            ({"reasoning": {"effort": e}}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": e}})
            for e in ("low", "medium", "high", "xhigh", "max")
        ),
        ({"reasoning": {"summary": "auto"}}, {"thinking": {"type": "adaptive", "display": "summarized"}}),
        (
            {"reasoning": {"effort": "low", "generate_summary": "auto"}},
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}},
        ),
    ],
)
def test_a_parameter_with_a_place_gets_there(body, placed):
    assert translated(body) == (placed | {"messages": []}, [])


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        ({"include": ["reasoning.encrypted_content", "file_search_call.results"]}, [("include[1]", False)]),
        ({"service_tier": "flex"}, [("service_tier", False)]),
        ({"stream_options": {"include_obfuscation": True}}, [("stream_options.include_obfuscation", False)]),
        ({"text": {"verbosity": "medium"}}, [("text.verbosity", False)]),
        ({"text": {"format": {"type": "json_object"}}}, [("text.format", False)]),
        ({"reasoning": {"effort": "minimal"}}, [("reasoning.effort", False)]),
        ({"reasoning": {"mode": "pro"}}, [("reasoning.mode", False)]),
        ({"reasoning": {"context": "all_turns"}}, [("reasoning.context", False)]),
        ({"reasoning": {"summary": "poem"}}, [("reasoning.summary", False)]),
        ({"tool_choice": {"type": "file_search"}}, [("tool_choice", False)]),
        ({"tools": [{"type": "web_search"}, {"type": "new"}]}, [("tools[0]", False), ("tools[1]", False)]),
    ],
)  # fmt: skip
def test_a_value_without_a_place_is_listed_by_its_path(body, lost):
    assert translated(body) == ({"messages": []}, lost)


def test_every_effort_of_the_sdk_has_a_place_or_is_listed():
    efforts = literals(get_type_hints(Reasoning)["effort"])
    listed = {effort for effort in efforts if translated({"reasoning": {"effort": effort}})[1]}

    assert listed == {"minimal"}


def test_the_second_of_two_users_is_listed():
    result, losses = translated({"user": "a", "safety_identifier": "b"})

    assert (result["metadata"], losses) == ({"user_id": "b"}, [("user", False)])


@pytest.mark.parametrize("wording", ["concise", "detailed"])
def test_the_wording_of_a_summary_is_a_minor_loss(wording):
    result, losses = translated({"reasoning": {"summary": wording}})

    assert result["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert losses == [("reasoning.summary", True)]


def test_without_reasoning_there_is_nothing_to_summarize():
    result, losses = translated({"reasoning": {"effort": "none", "summary": "auto"}})

    assert (result["thinking"], losses) == ({"type": "disabled"}, [("reasoning.summary", True)])


def test_two_summaries_that_differ_are_one_and_a_loss():
    result, losses = translated({"reasoning": {"summary": "auto", "generate_summary": "concise"}})

    assert result["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert losses == [("reasoning.generate_summary", False)]


def test_a_schema_for_the_answer_is_kept_and_its_name_is_a_minor_loss():
    schema = {"type": "object", "properties": {}}
    form = {"type": "json_schema", "name": "n", "schema": schema, "strict": False, "description": "d"}
    result, losses = translated({"text": {"format": form}, "reasoning": {"effort": "low"}})

    assert result["output_config"] == {"format": {"type": "json_schema", "schema": schema}, "effort": "low"}
    assert losses == [("text.format.name", True), ("text.format.description", False)]


# --- tools -----------------------------------------------------------------------------------------------------------


FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}
TOOL = {"name": "f", "input_schema": FUNCTION["parameters"]}


@pytest.mark.parametrize(
    ("fields", "tool", "lost"),
    [
        ({}, {}, []),
        ({"strict": True}, {"strict": True}, []),
        ({"strict": False}, {}, []),
        ({"strict": None, "description": None}, {}, []),
        ({"description": "d", "defer_loading": True}, {"description": "d", "defer_loading": True}, []),
        ({"defer_loading": False, "async": False, "allowed_callers": ["direct"]}, {}, []),
        ({"parameters": None}, {"input_schema": {"type": "object", "properties": {}}}, []),
        ({"async": True}, {}, [("tools[0].async", False)]),
        ({"output_schema": {"type": "string"}}, {}, [("tools[0].output_schema", False)]),
        ({"allowed_callers": ["programmatic"]}, {}, [("tools[0].allowed_callers", False)]),
    ],
)
def test_a_function_is_a_tool_with_an_input_schema(fields, tool, lost):
    assert translated({"tools": [FUNCTION | fields]}) == ({"messages": [], "tools": [TOOL | tool]}, lost)


def allowed(mode, *names):
    return {"type": "allowed_tools", "mode": mode, "tools": [{"type": "function", "name": name} for name in names]}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "name": "f"}, {"type": "tool", "name": "f"}),
        (allowed("auto", "g", "f"), {"type": "auto"}),
        (allowed("required", "f", "g"), {"type": "any"}),
        (allowed("required", "g"), {"type": "tool", "name": "g"}),
    ],
)
@pytest.mark.parametrize("parallel", [None, True, False])
def test_a_choice_that_messages_has_is_placed_with_parallel_calls(choice, sent, parallel):
    tools = [FUNCTION, FUNCTION | {"name": "g"}]
    result, losses = translated({"parallel_tool_calls": parallel, "tool_choice": choice, "tools": tools})
    one = {"disable_parallel_tool_use": True} if parallel is False and choice != "none" else {}

    assert (result["tool_choice"], losses) == (sent | one, [])


@pytest.mark.parametrize("choice", [allowed("auto", "f"), {"type": "custom", "name": "f"}, {"type": "mcp"}, "new"])
def test_a_choice_that_messages_lacks_is_listed_and_calls_stay_single(choice):
    tools = [FUNCTION, FUNCTION | {"name": "g"}]
    result, losses = translated({"tools": tools, "tool_choice": choice, "parallel_tool_calls": False})

    assert losses == [("tool_choice", False)]
    assert result["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "tool_choice" not in translated({"tools": tools, "tool_choice": choice})[0]


def test_single_calls_need_a_choice_to_stand_on():
    result, losses = translated({"tools": [FUNCTION], "parallel_tool_calls": False})

    assert (result["tool_choice"], losses) == ({"type": "auto", "disable_parallel_tool_use": True}, [])


def test_a_choice_goes_with_the_last_of_its_tools():
    tools = [{"type": "web_search"}]
    body, losses = responses_to_messages({"input": "Hi", "tools": tools, "tool_choice": "required"})

    assert "tool_choice" not in body
    assert [loss.path for loss in losses] == ["tools[0]", "tool_choice"]

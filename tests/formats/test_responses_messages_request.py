"""Settings of a Responses request in a Messages request: every parameter and field has a place or is listed."""

import copy
import hashlib

import pytest
from anthropic import transform_schema
from sdk_sweep import newest

from chatsheet_llm.formats import BRIDGES
from chatsheet_llm.formats import responses_messages_tables as tables
from chatsheet_llm.formats.responses_messages_request import responses_to_messages


def translated(body):
    before = copy.deepcopy(body)
    result, losses = responses_to_messages(body)
    assert body == before
    return result, [(loss.path, loss.minor) for loss in losses]


# --- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [*sorted(n for n, rule in tables.RESPONSES_PARAMETERS.items() if rule.how == "loss"), "seed", "top_k"]
)
def test_a_parameter_without_a_place_is_listed_by_name_and_not_sent(name):
    result, losses = responses_to_messages({name: "set"})

    hint = name.startswith("prompt_cache_") or name == "metadata"
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
        ("text", {"verbosity": "medium"}),
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
        ({"text": {"verbosity": "low"}}, [("text.verbosity", False)]),
        ({"stop": "\n"}, [("stop", False)]),
        ({"stop": ["\n", " \t"]}, [("stop[0]", False), ("stop[1]", False)]),
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


def test_a_stop_of_white_space_is_listed_and_the_others_are_sent():
    result, losses = translated({"stop": ["\n", "END", " x"]})

    assert (result["stop_sequences"], losses) == (["END", " x"], [("stop[0]", False)])


@pytest.mark.parametrize(
    "model",
    [
        *(
            "claude-3-opus-20240229",
            "claude-3-5-haiku-latest",
            "claude-3-7-sonnet-20250219",
            "claude-sonnet-4-20250514",
        ),
        *("claude-opus-4-0", "claude-opus-4-1-20250805", "claude-sonnet-4-5", "claude-haiku-4-5@20251001"),
        *("claude-opus-4-5-20251101", "anthropic/claude-sonnet-4-5"),
    ],
)
def test_a_model_that_takes_temperature_or_top_p_gets_it(model):
    for name in ("temperature", "top_p"):
        assert translated({"model": model, name: 0.25}) == ({"model": model, name: 0.25, "messages": []}, [])


@pytest.mark.parametrize(
    "model",
    [
        *("claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5", "claude-opus-4-10", "claude-opus-5-5-20261001"),
        *("my-claude-sonnet-4-5", "claude-sonnet-4-5-tuned", "claude-sonnet-4-5\n", "claude", "m", None, 4),
    ],
)
def test_any_other_model_may_refuse_temperature_and_top_p(model):
    _, losses = translated({"model": model, "temperature": 0, "top_p": 0.5})

    assert losses == [("temperature", False), ("top_p", False)]


KNOWN = "current models of Messages take no {}"
UNKNOWN = "it is not known whether this model takes {}; give its base_model"


@pytest.mark.parametrize(
    ("model", "why"),
    [
        *((model, KNOWN) for model in ("claude-opus-4-7", "claude-sonnet-5", "anthropic/claude-opus-5-5-20261001")),
        *((model, UNKNOWN) for model in ("our-claude", "claude-sonnet-4-5-tuned", "gpt-5", None)),
    ],
)
@pytest.mark.parametrize(("name", "value"), [("temperature", 0), ("top_p", 0.5)])
def test_a_model_that_is_not_known_is_not_said_to_refuse_anything(model, why, name, value):
    _, losses = responses_to_messages({"model": model, name: value})

    assert [loss.reason for loss in losses] == [why.format(name)]


@pytest.mark.parametrize(
    ("body", "sent", "lost"),
    [
        ({"temperature": 1.5}, {}, [("temperature", False)]),
        ({"temperature": 1, "top_p": 0.5}, {"top_p": 0.5}, []),
        ({"temperature": 0.5, "top_p": 0.5}, {"temperature": 0.5}, [("top_p", False)]),
        ({"temperature": 0.5, "reasoning": {"effort": "none"}}, {"temperature": 0.5}, []),
        ({"temperature": 0.5, "reasoning": {"effort": "low"}}, {}, [("temperature", False)]),
        ({"top_p": 0.5, "reasoning": {"summary": "auto"}}, {}, [("top_p", False)]),
    ],
)
def test_a_model_that_takes_temperature_takes_it_from_0_to_1_alone_and_without_thinking(body, sent, lost):
    result, losses = translated({"model": "claude-sonnet-4-5", **body})

    assert {name: result[name] for name in ("temperature", "top_p") if name in result} == sent
    assert [loss for loss in losses if not loss[0].startswith("reasoning")] == lost


def test_models_before_opus_4_1_take_temperature_and_top_p_at_once():
    body = {"model": "claude-opus-4-0", "temperature": 0.5, "top_p": 0.5}

    assert translated(body) == (body | {"messages": []}, [])


@pytest.mark.parametrize("name", ["user", "safety_identifier"])
def test_a_user_that_is_too_long_is_sent_as_its_digest(name):
    assert translated({name: "ü" * 256})[0]["metadata"] == {"user_id": "ü" * 256}

    result, losses = translated({name: "u" * 257})

    assert result["metadata"] == {"user_id": hashlib.sha256(b"u" * 257).hexdigest()}
    assert losses == [(name, True)]


# --- schemas ---------------------------------------------------------------------------------------------------------

TEXT = {"type": "string"}
ENTRY = {"type": "object", "properties": {"at": TEXT}, "additionalProperties": False}


def test_a_schema_for_the_answer_is_closed_and_its_name_is_a_minor_loss():
    schema = {"type": "object", "properties": {"at": TEXT}}
    form = {"type": "json_schema", "name": "n", "schema": schema, "strict": False, "description": "d"}
    result, losses = translated({"text": {"format": form}, "reasoning": {"effort": "low"}})
    kept = ENTRY | {"description": "d"}

    assert result["output_config"] == {"format": {"type": "json_schema", "schema": kept}, "effort": "low"}
    assert losses == [("text.format.name", True)]


def test_the_description_of_a_schema_goes_before_that_of_its_format():
    form = {"type": "json_schema", "schema": ENTRY | {"description": "own"}, "description": "d"}
    result, losses = translated({"text": {"format": form}})

    assert result["output_config"]["format"]["schema"] == form["schema"]
    assert losses == [("text.format.description", True)]


def enforced(schema):
    """What a property of a format's schema becomes, and its losses below it."""
    root = {"type": "object", "properties": {"p": schema}, "additionalProperties": False}
    result, losses = translated({"text": {"format": {"type": "json_schema", "schema": root}}})
    made = result["output_config"]["format"]["schema"]["properties"]["p"]
    return made, [(path.removeprefix("text.format.schema.properties.p"), minor) for path, minor in losses]


@pytest.mark.parametrize(
    "schema",
    [
        *(TEXT, ENTRY, {"type": ["string", "null"], "description": "d", "title": "t"}, {"enum": ["a", 1, None]}),
        {"const": True},
        {"type": "string", "format": "date-time", "enum": ["a"]},
        {"type": "array", "items": TEXT, "minItems": 1},
        {"anyOf": [TEXT, {"$ref": "#/$defs/x"}], "description": "d"},
        {"allOf": [ENTRY, ENTRY]},
        {"$ref": "#/$defs/x"},
        {"$defs": {"x": ENTRY}, "$ref": "#/$defs/x"},
        {"definitions": {"x": ENTRY}, "type": "null"},
        {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
    ],
)
def test_a_schema_that_messages_can_enforce_stays_as_it_is(schema):
    assert enforced(schema) == (schema, [])


@pytest.mark.parametrize(
    ("schema", "made", "lost"),
    [
        ({"type": "integer", "minimum": 1}, {"type": "integer", "description": "{minimum: 1}"}, [".minimum"]),
        (
            {"type": "string", "description": "d", "pattern": "^ü", "format": "regex", "minLength": 1},
            {"type": "string", "description": 'd\n\n{pattern: "^ü", format: "regex", minLength: 1}'},
            [".pattern", ".format", ".minLength"],
        ),
        (
            {"type": "array", "items": {"type": "number", "maximum": 9}, "minItems": 2, "uniqueItems": True},
            {
                "type": "array",
                "items": {"type": "number", "description": "{maximum: 9}"},
                "description": "{minItems: 2, uniqueItems: true}",
            },
            [".items.maximum", ".minItems", ".uniqueItems"],
        ),
        (
            {"$defs": {"x": {"type": "null", "default": None}}, "type": "null"},
            {"$defs": {"x": {"type": "null", "description": "{default: null}"}}, "type": "null"},
            [".$defs.x.default"],
        ),
        ({"oneOf": [TEXT]}, {"anyOf": [TEXT]}, []),
        ({"allOf": [{"$ref": "#/$defs/x"}]}, {"anyOf": [{"$ref": "#/$defs/x"}]}, []),
        (
            {"$ref": "#/$defs/x", "description": "d", "default": {}},
            {"anyOf": [{"$ref": "#/$defs/x"}], "description": "d\n\n{default: {}}"},
            [".default"],
        ),
        # Where the alternatives only narrow what stands beside them, that is what can be enforced.
        (
            ENTRY | {"anyOf": [{"required": ["at"]}]},
            ENTRY | {"description": '{anyOf: [{"required": ["at"]}]}'},
            [".anyOf"],
        ),
        (
            {"type": "string", "anyOf": [{"const": "a"}, {"enum": ["b"]}]},
            {"anyOf": [{"const": "a"}, {"enum": ["b"]}], "description": '{type: "string"}'},
            [".type"],
        ),
        ({"type": "array", "enum": [["a"]]}, {"type": "array", "description": '{enum: [["a"]]}'}, [".enum"]),
        ({"properties": {"at": TEXT}}, ENTRY, []),
        ({"items": TEXT}, {"type": "array", "items": TEXT}, []),
        (ENTRY | {"additionalProperties": True}, ENTRY, [".additionalProperties"]),
    ],
)
def test_what_messages_cannot_enforce_stands_in_the_description(schema, made, lost):
    assert enforced(schema) == (made, [(path, True) for path in lost])


@pytest.mark.parametrize(
    ("schema", "made", "lost"),
    [
        ({}, {}, ""),
        (True, True, ""),
        ({"description": "any", "type": "any"}, {"description": "any", "type": "any"}, ""),
        ({"type": "array", "items": True}, {"type": "array", "items": True}, ".items"),
        ({"type": "object"}, {"type": "object", "additionalProperties": False}, ""),
        (
            {"type": "object", "additionalProperties": TEXT},
            {"type": "object", "additionalProperties": False},
            ".additionalProperties",
        ),
        (ENTRY | {"additionalProperties": TEXT}, ENTRY, ".additionalProperties"),
    ],
)
def test_a_value_of_any_type_and_an_object_of_any_names_are_losses(schema, made, lost):
    assert enforced(schema) == (made, [(lost, False)])


@pytest.mark.parametrize(
    ("said", "lost"),
    [({}, [("tools[0].strict", True)]), ({"strict": None}, [("tools[0].strict", True)]), ({"strict": False}, [])],
)
def test_the_schema_of_a_tool_that_is_not_strict_stays_as_it_is_but_for_the_type(said, lost):
    given = {"properties": {"n": {"minimum": 1}}, "x": 1}
    result, losses = translated({"tools": [{"type": "function", "name": "f", "parameters": given, **said}]})

    assert result["tools"] == [{"name": "f", "input_schema": given | {"type": "object"}}]
    assert losses == lost


def test_the_schema_of_a_strict_tool_is_enforceable():
    given = {"properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    result, losses = translated({"tools": [{"type": "function", "name": "f", "strict": True, "parameters": given}]})

    assert result["tools"][0]["input_schema"] == {
        "type": "object",
        "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    assert losses == [("tools[0].parameters.properties.n.minimum", True)]


def strict_tools(count):
    schema = {"type": "object", "properties": {"n": {"minimum": 1, "type": "integer"}}, "required": ["n"]}
    return [{"type": "function", "name": f"f{at}", "strict": True, "parameters": schema} for at in range(count)]


def test_as_many_strict_tools_as_messages_takes_are_all_strict():
    loose = {"type": "function", "name": "loose", "strict": False}
    result, losses = translated({"tools": [loose, *strict_tools(20), loose]})

    assert [tool.get("strict") for tool in result["tools"]] == [None, *[True] * 20, None]
    assert [loss for loss in losses if not loss[0].endswith(".minimum")] == []


def test_strict_tools_beyond_what_messages_takes_are_not_strict_and_that_is_no_minor_loss():
    result, losses = translated({"tools": strict_tools(22)})
    given = strict_tools(1)[0]["parameters"]

    assert [tool.get("strict") for tool in result["tools"]] == [*[True] * 20, None, None]
    assert [tool["input_schema"] == given for tool in result["tools"]] == [*[False] * 20, True, True]
    assert [loss for loss in losses if not loss[1]] == [("tools[20].strict", False), ("tools[21].strict", False)]
    assert [path for path, minor in losses if minor and path.startswith(("tools[20]", "tools[21]"))] == []


def test_functions_of_chat_are_not_strict_by_default_so_nothing_is_lost():
    function = {"name": "f", "parameters": ENTRY}
    body = {"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function", "function": function}]}
    result, losses = BRIDGES["chat", "messages"](body)

    assert result["tools"] == [{"name": "f", "input_schema": ENTRY}]
    assert losses == []


@pytest.mark.skipif(not newest(), reason="older SDKs know fewer keywords of a schema")
def test_schemas_are_rewritten_as_the_sdk_of_messages_does():
    schema = {
        "$defs": {"x": {"type": "object", "properties": {"d": {"type": "string", "format": "date"}}}},
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#/$defs/x"}, "minItems": 1},
            "n": {"type": "integer", "minimum": 1, "description": "n"},
            "o": {"oneOf": [{"type": "string"}, {"type": "null"}]},
            "e": {"enum": ["a", None]},
        },
        "required": ["a"],
    }
    result, _ = translated({"text": {"format": {"type": "json_schema", "schema": schema}}})

    assert result["output_config"]["format"]["schema"] == transform_schema(schema)


# --- tools -----------------------------------------------------------------------------------------------------------


FUNCTION = {"type": "function", "name": "f", "parameters": ENTRY, "strict": False}
TOOL = {"name": "f", "input_schema": FUNCTION["parameters"]}


@pytest.mark.parametrize(
    ("fields", "tool", "lost"),
    [
        ({}, {}, []),
        ({"strict": True}, {"strict": True}, []),
        ({"strict": False}, {}, []),
        ({"strict": None, "description": None}, {}, [("tools[0].strict", True)]),
        ({"description": "d", "defer_loading": True}, {"description": "d", "defer_loading": True}, []),
        ({"defer_loading": False, "async": False, "allowed_callers": ["direct"]}, {}, []),
        ({"parameters": None}, {"input_schema": {"type": "object", "properties": {}}}, []),
        ({"parameters": {}}, {"input_schema": {"type": "object"}}, []),
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


@pytest.mark.parametrize("reasoning", [{"effort": "high"}, {"summary": "auto"}])
@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-1-20250805", "claude-3-7-sonnet-20250219"])
def test_a_model_that_thinks_by_a_budget_takes_no_effort(model, reasoning):
    result, losses = translated({"model": model, "reasoning": reasoning})

    assert not {"thinking", "output_config"} & set(result)
    assert losses == [(f"reasoning.{next(iter(reasoning))}", False)]


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-opus-5", "my-claude", None])
def test_every_other_model_thinks_as_much_as_it_is_asked_to(model):
    result, losses = translated({"model": model, "reasoning": {"effort": "high"}})

    assert (result["thinking"], result["output_config"]) == ({"type": "adaptive"}, {"effort": "high"})
    assert losses == []


def test_a_format_without_a_schema_is_listed():
    result, losses = translated({"text": {"format": {"type": "json_schema", "name": "n"}}})

    assert "output_config" not in result
    assert losses == [("text.format", False)]


def test_a_choice_among_tools_that_are_all_lost_is_lost_with_all_that_it_says():
    body = {"model": "m", "input": "x", "tools": [{"type": "image_generation"}], "tool_choice": "required"}
    made, losses = responses_to_messages({**body, "parallel_tool_calls": False})

    assert "tool_choice" not in made
    assert [loss.path for loss in losses if not loss.minor] == ["tools[0]", "tool_choice", "parallel_tool_calls"]

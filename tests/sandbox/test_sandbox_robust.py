"""No request body, however odd, makes the roles fail: they answer it or refuse it."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chatsheet_llm.sandbox import Received, RoleName
from chatsheet_llm.sandbox.roles import DEPLOYMENTS, respond
from chatsheet_llm.sandbox.stock import World

FIELDS = re.findall(
    r"\S+",
    """
    background content dimensions effort format function functions function_call input input_schema instructions
    json_schema max_tokens max_completion_tokens max_output_tokens messages name n output output_config parameters
    previous_response_id reasoning reasoning_effort response_format role schema stop stop_sequences store stream
    stream_options system text thinking tool_choice tools type properties required items anyOf minItems enum $ref
    """,
)
WORDS = re.findall(
    r"\S+",
    """
    user assistant tool system gpt-5 gpt-5.4 function custom json_schema json_object object array string integer
    required none auto refuse politely message function_call_output tool_result text # enabled allowed_tools
    """,
)
PATHS: list[tuple[RoleName, str, str]] = [
    ("litellm", "chat", "/v1/chat/completions"),
    ("litellm", "messages", "/v1/messages"),
    ("azure", "chat", "/openai/v1/chat/completions"),
    ("azure", "responses", "/openai/v1/responses"),
    ("openai", "responses", "/v1/responses"),
    ("openai", "embeddings", "/v1/embeddings"),
    ("anthropic", "messages", "/v1/messages"),
    ("anthropic", "count_tokens", "/v1/messages/count_tokens"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats(-2, 2) | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=25,
)
BODIES = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8)
TURNS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool"]), "content": VALUES}), min_size=1
)


@settings(max_examples=150, deadline=None)
@given(where=st.sampled_from(PATHS), body=BODIES, turns=TURNS, model=st.sampled_from(["gpt-5", "gpt-4o"]))
def test_any_body_is_answered_or_refused(
    where: tuple[RoleName, str, str], body: dict[str, Any], turns: list[Any], model: str
) -> None:
    role, api, path = where
    sound: dict[str, Any] = {"max_tokens": 9, "messages": turns, "input": turns, **body, "model": model}
    headers = {"authorization": "Bearer key"}
    request = Received(f"{role}/{api}", role, "POST", path, "", headers, sound, 0.0)

    reply = respond(World("key", DEPLOYMENTS), request, "")

    assert reply.status in (200, 400, 404)
    assert reply.events is None or b"".join(event.encode() for event in reply.events)

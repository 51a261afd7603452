"""The private symbols that requests are made of and read with still are what we take them for."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai._base_client import make_request_options
from openai._response import StreamedBinaryAPIResponse
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.resources.responses import AsyncResponses, Responses
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from sdk_contracts import HELLO, Listener, asked, contract

from chatsheet_llm import sdk
from chatsheet_llm.sdk import requests, routes


@contract("_post")
@pytest.mark.parametrize("resource", [Completions, AsyncCompletions, Responses, AsyncResponses])
def test_what_a_resource_asks_its_client_to_post_can_be_overheard(resource: type[Any]) -> None:
    path, told = sdk.overheard(resource, {"model": "m", "messages" if "Comp" in resource.__name__ else "input": "x"})

    assert path == ("/chat/completions" if "Comp" in resource.__name__ else "/responses")
    assert told["body"]["model"] == "m"
    assert told["cast_to"] in (ChatCompletion, Response)
    assert told["options"]["security"] == {"bearer_auth": True}


@contract("openai._types.NOT_GIVEN")
def test_options_made_of_a_template_are_those_that_the_sdk_makes() -> None:
    beside: dict[str, Any] = {
        "extra_headers": {"a": "b"},
        "extra_query": {"q": 1},
        "extra_body": {"c": 1},
        "timeout": 3,
    }
    template = sdk.FinalRequestOptions.construct(method="post", url="/x", security={"bearer_auth": True})
    made = sdk.asked(template, {"model": "m"}, **beside)
    bare = sdk.asked(template, {"model": "m"})
    told = make_request_options(security={"bearer_auth": True}, **beside)
    its = sdk.FinalRequestOptions.construct(method="post", url="/x", json_data={"model": "m"}, **told)

    assert repr(made) == repr(its)
    assert isinstance(sdk.timeout_of(bare), openai.NotGiven)
    assert (bare.headers, bare.params, bare.extra_json) == (template.headers, {}, None)
    assert template.json_data is None


@contract("openai._models.FinalRequestOptions")
def test_options_hold_what_the_resources_were_given(listener: Listener) -> None:
    told = asked(
        listener.chat.completions.create,
        **HELLO,
        stream=True,
        extra_body={"mine": 1},
        extra_query={"q": "1"},
        timeout=3,
    )
    options = told.options
    bare = asked(listener.models.list).options

    assert isinstance(options, sdk.FinalRequestOptions)
    assert (options.method.lower(), options.url, options.params) == ("post", "/chat/completions", {"q": "1"})
    assert sdk.body_of(options) == {**HELLO, "stream": True, "mine": 1}
    assert sdk.timeout_of(options) == 3
    assert sdk.retries_of(options, 7) == 7
    assert (told.stream, told.cast_to) == (True, ChatCompletion)
    assert (sdk.body_of(bare), sdk.headers_of(bare), sdk.raw_marker(bare)) == (None, {}, None)
    assert isinstance(sdk.timeout_of(bare), openai.NotGiven)


@contract("openai._models.FinalRequestOptions")
def test_a_copy_of_options_leaves_the_first_as_they_are(listener: Listener) -> None:
    first = asked(listener.chat.completions.create, **HELLO).options
    second = sdk.copied(first)
    second.url, second.max_retries = "/elsewhere", 3

    assert (first.url, sdk.retries_of(first, 1), sdk.retries_of(second, 1)) == ("/chat/completions", 1, 3)


@contract("openai._models.add_request_id")
def test_an_object_carries_the_server_s_id_of_its_request() -> None:
    made = ChatCompletion.construct(id="x")
    sdk.identify(made, "req-1")
    sdk.identify("no object", "req-2")

    assert made._request_id == "req-1"
    assert "req-1" not in made.model_dump_json()


@contract("openai._types.NotGiven", "openai._types.Omit")
def test_what_was_not_given_and_what_shall_be_left_out_are_the_sdk_s_own_types(listener: Listener) -> None:
    told = asked(listener.chat.completions.create, **HELLO, extra_headers={"Authorization": openai.omit})

    assert {vars(module)["NotGiven"] for module in (requests, routes)} == {openai.NotGiven}
    assert isinstance(openai.omit, sdk.Omit)
    assert isinstance(sdk.headers_of(told.options)["Authorization"], sdk.Omit)
    assert isinstance(told.options.timeout, openai.NotGiven)


@pytest.mark.parametrize(
    ("name", "marker"), [("with_raw_response", "true"), ("with_streaming_response", "stream"), (None, None)]
)
@contract("openai._constants.RAW_RESPONSE_HEADER")
def test_the_marker_of_a_raw_response_is_read_and_kept_from_the_hop(
    listener: Listener, name: str | None, marker: str | None
) -> None:
    resource = listener.chat.completions
    create: Any = (getattr(resource, name) if name else resource).create

    def call() -> object:
        made = create(**HELLO, extra_headers={"x-mine": "1"})
        return made.__enter__() if name == "with_streaming_response" else made

    options = asked(call).options

    assert sdk.raw_marker(options) == marker
    assert sdk.headers_of(options) == {"x-mine": "1"}


@contract("_maybe_override_cast_to", "openai._constants.OVERRIDE_CAST_TO_HEADER")
def test_the_type_that_a_binary_download_wants_is_read_and_taken_out(listener: Listener) -> None:
    def download() -> object:
        return listener.files.with_streaming_response.content("file-1").__enter__()

    told, plain = asked(download), asked(listener.files.retrieve, file_id="file-1")
    header = next(name for name in told.options.headers if "override" in name)

    assert header not in sdk.headers_of(told.options)
    assert issubclass(sdk.cast_of(listener, told.cast_to, told.options), StreamedBinaryAPIResponse)
    assert header not in told.options.headers
    assert sdk.cast_of(listener, plain.cast_to, plain.options) is plain.cast_to

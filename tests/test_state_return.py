"""State goes home or is taken out: encrypted reasoning, ids of responses and items, files, over a whole call."""

from __future__ import annotations

from typing import Any

import pytest
from client_cases import settings_for, way

from chatsheet_llm import ChatClient, errors, route_of
from chatsheet_llm.origins import Origins
from chatsheet_llm.sandbox import Sandbox

CHAIN = ("litellm/responses", "azure/responses")
USER = {"role": "user", "content": "hello there"}


def client_for(box: Sandbox, *chain: str) -> ChatClient:
    return ChatClient(settings_for(box), chain=chain or CHAIN)


def thinking(client: ChatClient, items: list[Any], **more: Any) -> Any:
    return client.responses.create(
        model="gpt-5",
        input=items,
        reasoning={"effort": "low"},
        include=["reasoning.encrypted_content"],
        store=False,
        **more,
    )


def test_reasoning_goes_back_to_the_endpoint_that_sealed_it(box: Sandbox) -> None:
    with client_for(box) as client:
        first = thinking(client, [USER])
        second = thinking(client, [USER, *first.output, USER])
        sent = box.requests[-1].json["input"]

    assert way(route_of(second)) == "litellm/responses 200"
    assert route_of(second).losses == ()
    assert [item.get("type") for item in sent].count("reasoning") == 1


@pytest.mark.parametrize("stream", [False, True])
def test_another_endpoint_never_sees_it_and_the_loss_is_listed(box: Sandbox, stream: bool) -> None:
    with client_for(box) as client:
        if stream:
            events = list(thinking(client, [USER], stream=True))
            output = events[-1].response.output
        else:
            output = thinking(client, [USER]).output
        box.inject("litellm", "503")
        second = thinking(client, [USER, *output, USER])
        sent = box.requests[-1].json["input"]

    assert way(route_of(second)) == "litellm/responses 503 -> azure/responses 200"
    assert "reasoning" not in [item.get("type") for item in sent]
    assert "input[1]" in [loss.path for loss in route_of(second).losses]
    assert all(loss.minor for loss in route_of(second).losses)


def test_what_the_second_endpoint_sealed_never_goes_to_the_first(box: Sandbox) -> None:
    with client_for(box) as client:
        box.inject("litellm", "503", times=1)
        first = thinking(client, [USER])
        second = thinking(client, [USER, *first.output, USER])
        sent = box.requests[-1].json["input"]

    assert way(route_of(first)) == "litellm/responses 503 -> azure/responses 200"
    assert way(route_of(second)) == "litellm/responses 200"
    assert "reasoning" not in [item.get("type") for item in sent]


def test_a_chat_caller_s_reasoning_is_kept_from_other_endpoints_too(box: Sandbox) -> None:
    ask: dict[str, Any] = {"model": "gpt-5-codex", "reasoning_effort": "low"}
    with client_for(box) as client:
        sealed = [item.to_dict() for item in thinking(client, [USER]).output if item.type == "reasoning"]
        history: list[Any] = [USER, {"role": "assistant", "content": "Hi.", "reasoning_items": sealed}, USER]
        home = client.chat.completions.create(messages=history, **ask)
        went_home = box.requests[-1].json["input"]
        box.inject("litellm", "503")
        other = client.chat.completions.create(messages=history, **ask)
        went_elsewhere = box.requests[-1].json["input"]

    assert [item["type"] for item in went_home].count("reasoning") == len(sealed) == 1
    assert "reasoning" not in [item["type"] for item in went_elsewhere]
    assert not [loss for loss in route_of(home).losses if "reasoning_items" in loss.path]
    assert "messages[1].reasoning_items[0]" in [loss.path for loss in route_of(other).losses]


def test_a_conversation_goes_on_only_where_it_is_kept(box: Sandbox) -> None:
    with client_for(box) as client:
        box.inject("litellm", "503", times=1)
        first = client.responses.create(model="gpt-5", input="hello there")
        second = client.responses.create(model="gpt-5", input="and then?", previous_response_id=first.id)

    assert way(route_of(second)) == "azure/responses 200"
    assert [skip.rule for skip in route_of(second).skipped] == ["state"]


def test_a_stored_response_is_asked_for_where_it_is_kept(box: Sandbox) -> None:
    with client_for(box) as client:
        box.inject("litellm", "503", times=1)
        first = client.responses.create(model="gpt-5", input="hello there")
        again = client.responses.retrieve(first.id)

    assert again.id == first.id
    assert way(route_of(again)) == "azure 200"


def test_a_conversation_of_unknown_origin_is_the_first_hop_s(box: Sandbox) -> None:
    with client_for(box) as client, pytest.raises(errors.CallError) as caught:
        client.responses.create(model="gpt-5", input="and then?", previous_response_id="resp_of_another_process")

    assert {attempt.hop for attempt in caught.value.route.attempts} == {"litellm/responses"}


def test_a_conversation_whose_keeper_is_not_in_the_chain_is_an_error_that_names_it(box: Sandbox) -> None:
    with client_for(box) as client:
        first = client.with_chain("azure/responses").responses.create(model="gpt-5", input="hello there")
        with pytest.raises(errors.UnsupportedParameterError, match="previous_response_id") as caught:
            client.with_chain("litellm/responses").responses.create(
                model="gpt-5", input="and then?", previous_response_id=first.id
            )

    assert caught.value.param == "previous_response_id"
    assert caught.value.route.attempts == ()


def test_the_memory_forgets_the_oldest_first_and_holds_no_token() -> None:
    memory = Origins(size=2)
    memory.remember(["first-token"], "a")
    memory.remember(["second-token", "third-token"], "b")
    memory.remember(["second-token"], "c")

    assert [memory.of(f"{name}-token") for name in ("first", "second", "third")] == [None, "c", "b"]
    assert "token" not in repr(vars(memory)["_known"])
    assert len(memory) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_an_id_that_a_bridge_gave_goes_to_no_endpoint(box: Sandbox, stream: bool) -> None:
    with client_for(box, "azure/chat") as client:
        given = client.responses.create(model="gpt-5", input=[USER], store=False, stream=stream)
        first = list(given)[-1].response if stream else given
        other = client.with_chain("azure/responses")
        second = other.responses.create(model="gpt-5", input=[USER, *first.output, USER], store=False)
        with pytest.raises(errors.UnsupportedParameterError, match="previous_response_id"):
            other.responses.create(model="gpt-5", input="and then?", previous_response_id=first.id)
        sent = box.requests[-1].json["input"]

    assert sent[1]["role"] == "assistant"
    assert sent[1]["id"] != first.output[0].id
    assert [loss.path for loss in route_of(second).losses] == ["input[1].id"]


def elsewhere(box: Sandbox, hop: str) -> list[Any]:
    """The output of an answer that another process got: nobody here remembers who made it."""
    with client_for(box, hop) as other:
        return list(thinking(other, [USER]).output)


def test_state_of_an_unknown_maker_that_is_refused_is_taken_out_once_and_the_call_goes_on(box: Sandbox) -> None:
    output = elsewhere(box, "azure/responses")
    with client_for(box) as client:
        reply = thinking(client, [USER, *output, USER])
        kinds = [[item.get("type") for item in request.json["input"]] for request in box.requests[-2:]]

    assert way(route_of(reply)) == "litellm/responses 400 -> litellm/responses 200"
    assert ["reasoning" in kind for kind in kinds] == [True, False]
    assert "input[1]" in [loss.path for loss in route_of(reply).losses]
    assert route_of(reply).attempts[0].outcome == "state"


def test_state_of_an_unknown_maker_stays_where_it_is_taken_back(box: Sandbox) -> None:
    output = elsewhere(box, "litellm/responses")
    with client_for(box) as client:
        reply = thinking(client, [USER, *output, USER])

    assert way(route_of(reply)) == "litellm/responses 200"
    assert "input[1]" not in [loss.path for loss in route_of(reply).losses]


def test_a_refusal_of_state_that_cannot_be_taken_out_is_the_caller_s_error(box: Sandbox) -> None:
    box.inject("litellm", "400:invalid_encrypted_content")
    with client_for(box) as client, pytest.raises(errors.BadRequestError):
        client.responses.create(model="gpt-5", input="hello there")

    assert len(box.requests) == 1


def test_a_plan_takes_the_way_that_the_call_takes(box: Sandbox) -> None:
    with client_for(box) as client:
        first = client.with_chain("azure/responses").responses.create(model="gpt-5", input="hello there")
        planned = client.plan(path="/responses", model="gpt-5", input="and?", previous_response_id=first.id)

    assert [hop.name for hop in planned.hops] == ["azure/responses"]


def test_an_error_names_the_endpoint_that_keeps_the_conversation(box: Sandbox) -> None:
    with client_for(box) as client:
        first = client.with_chain("azure/responses").responses.create(model="gpt-5", input="hello there")
        with pytest.raises(errors.UnsupportedParameterError, match="only endpoint 'azure'") as caught:
            client.with_chain("litellm/responses").copy(on_loss="drop").responses.create(
                model="gpt-5", input="and then?", previous_response_id=first.id
            )

    assert "set on_loss" not in str(caught.value)


def test_an_answer_that_was_translated_is_stored_nowhere(box: Sandbox) -> None:
    with client_for(box, "azure/chat") as client:
        first = client.responses.create(model="gpt-5", input="hello there")
        with pytest.raises(errors.RequestNotFoundError, match="stored nowhere"):
            client.with_chain("azure/responses").responses.retrieve(first.id)


def test_what_is_passed_through_goes_to_the_keeper_of_what_it_names(box: Sandbox) -> None:
    with client_for(box) as client:
        first = client.with_chain("azure/responses").responses.create(model="gpt-5", input="hello there")
        planned = client.plan(path="/responses/input_tokens", model="gpt-5", previous_response_id=first.id)

    assert [hop.name for hop in planned.hops] == ["azure"]


def test_what_is_in_use_is_not_forgotten_first() -> None:
    memory = Origins(size=2)
    memory.remember(["used"], "a")
    memory.remember(["idle"], "a")
    memory.of("used")
    memory.remember(["new"], "a")

    assert [memory.of(token) for token in ("used", "idle", "new")] == ["a", None, "a"]


def test_an_id_in_a_label_pins_nothing(box: Sandbox) -> None:
    with client_for(box) as client:
        made = client.with_chain("azure/chat").responses.create(model="gpt-5", input="hello there")
        planned = client.plan(path="/embeddings", model="e", input="x", metadata={"trace_id": made.id})
        labelled = client.plan(path="/vector_stores", metadata={"response_id": made.id})

    assert [hop.name for hop in planned.hops] == ["litellm", "azure"]
    assert [hop.name for hop in labelled.hops] == ["litellm"]


def test_a_model_s_name_is_nobody_s_state(box: Sandbox) -> None:
    with client_for(box) as client:
        client.models.retrieve("gpt-5")

        assert client.with_chain("azure").models.retrieve("gpt-5").id == "gpt-5"


def test_results_that_others_could_have_read_keep_a_call_with_their_maker(box: Sandbox) -> None:
    call = {"type": "mcp_call", "id": "mcp_1", "name": "f", "arguments": "{}", "server_label": "s", "output": "42"}
    with client_for(box) as client:
        client._core.origins.remember(["mcp_1"], client._core.setup.endpoints["azure"].origin)
        planned = client.plan(path="/responses", model="gpt-5", input=[USER, call, USER])

    assert [hop.name for hop in planned.hops] == ["azure/responses"]


def test_what_follows_refused_state_is_told_for_what_it_is(box: Sandbox) -> None:
    output = elsewhere(box, "azure/responses")
    box.inject("litellm", "400:invalid_encrypted_content", times=1)
    with client_for(box, "litellm/responses") as client:
        box.inject("litellm", "503")
        with pytest.raises(errors.OverloadedError):
            thinking(client, [USER, *output, USER])


def test_refused_state_is_not_offered_again(box: Sandbox) -> None:
    output = elsewhere(box, "azure/responses")
    with client_for(box, "litellm/responses") as client:
        first = thinking(client, [USER, *output, USER])
        second = thinking(client, [USER, *output, USER])

    assert way(route_of(first)) == "litellm/responses 400 -> litellm/responses 200"
    assert way(route_of(second)) == "litellm/responses 200"

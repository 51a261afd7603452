"""What a client is told of wrong arguments: by the name that the caller used, before anything is sent."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, cast

import httpx2
import openai
import pytest
from client_cases import settings_for

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, errors, route_of
from chatsheet_llm.sandbox import Sandbox

HELLO = cast("Any", {"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]})
NO_TIMEOUTS: tuple[Any, ...] = (
    *("5", "abc", math.nan, True, 0, -1, 10**400, (1,), (1, "2"), (1, 2, 3, 4, 5), [1, 2], {"read": 1}),
    *(httpx2.Timeout(math.nan), httpx2.Timeout(cast("Any", "5")), httpx2.Timeout(5, read=0)),
)
TIMEOUTS: tuple[Any, ...] = (
    5,
    0.5,
    math.inf,
    None,
    httpx2.Timeout(5, pool=0),
    (1, 2),
    (1, None),
    (1, 2, 3),
    (1, 2, 3, 4),
)
CLIENTS = pytest.mark.parametrize("kind", [ChatClient, AsyncChatClient])


def shown(value: object) -> str:
    return repr(value)[:40]


# --- timeouts


@pytest.mark.parametrize("timeout", NO_TIMEOUTS, ids=shown)
def test_a_timeout_that_is_none_is_refused_where_the_client_is_made(box: Sandbox, timeout: Any) -> None:
    with pytest.raises(errors.SettingsError) as caught:
        ChatClient(settings_for(box), timeout=timeout)

    assert str(caught.value).startswith("ChatClient: timeout must be a number of seconds greater than 0, ")
    assert f"; got {repr(timeout)[:50]}" in str(caught.value)


@pytest.mark.parametrize("timeout", NO_TIMEOUTS, ids=shown)
def test_a_timeout_that_is_none_is_refused_for_a_call_a_copy_and_an_attribute(box: Sandbox, timeout: Any) -> None:
    ways: list[Callable[[ChatClient], object]] = [
        lambda client: client.chat.completions.create(**HELLO, timeout=timeout),
        lambda client: client.models.list(timeout=timeout),
        lambda client: client.with_options(timeout=timeout),
        lambda client: setattr(client, "timeout", timeout),
    ]
    with ChatClient(settings_for(box)) as client:
        for way in ways:
            with pytest.raises(errors.SettingsError, match="timeout must be a number of seconds"):
                way(client)

    assert box.requests == []


@pytest.mark.parametrize("timeout", TIMEOUTS, ids=shown)
def test_a_timeout_that_the_sdk_takes_is_taken_everywhere(box: Sandbox, timeout: Any) -> None:
    with ChatClient(settings_for(box), timeout=timeout) as client:
        answers = [
            client.chat.completions.create(**HELLO),
            client.with_options(timeout=timeout).chat.completions.create(**HELLO),
            client.chat.completions.create(**HELLO, timeout=timeout),
        ]

    assert {route_of(answer).hop for answer in answers} == {"litellm/chat"}


def test_of_a_tuple_the_second_part_bounds_the_attempt(box: Sandbox) -> None:
    box.inject("litellm", "slow:0.5")
    with (
        ChatClient(settings_for(box), chain="litellm", timeout=(5, 0.05)) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(**HELLO)


# --- other arguments


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"deadline": "5"},
            "ChatClient: deadline must be a number of seconds greater than 0 and at most 604800; got '5'",
        ),
        ({"deadline": True}, "got True"),
        ({"hedge_after": True}, "ChatClient: hedge_after must be a number of seconds, or 'p95'; got True"),
        ({"hedge_after": "5"}, "got '5'"),
        ({"max_retries": "3"}, "ChatClient: max_retries must be a whole number of at least 0; got '3'"),
        ({"max_retries": -1}, "got -1"),
        ({"on_loss": "x"}, "ChatClient: on_loss must be 'error' or 'drop'; got 'x'"),
        ({"chain": ["x" * 99]}, "the chain names hop"),
        (
            {"chain": ["azure", 3]},
            "ChatClient: chain must list hops such as 'litellm' or 'azure/responses'; got ['azure",
        ),
    ],
)
def test_a_wrong_value_is_shown_as_it_was_written(box: Sandbox, given: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.SettingsError) as caught:
        ChatClient(settings_for(box), **given)

    assert said in str(caught.value)


@CLIENTS
def test_an_argument_that_there_is_not_is_refused_by_the_client_s_own_name(kind: Any) -> None:
    with pytest.raises(TypeError) as caught:
        kind(foo=1)

    assert str(caught.value) == f"{kind.__name__}.__init__() got an unexpected keyword argument 'foo'"


@CLIENTS
def test_the_constructor_has_the_signature_that_it_is_written_with(kind: Any) -> None:
    taken = inspect.signature(kind).parameters

    assert next(iter(taken)) == "settings"
    assert taken["timeout"].kind is inspect.Parameter.KEYWORD_ONLY
    assert taken["max_retries"].default is None


@CLIENTS
@pytest.mark.parametrize(("given", "what"), [("http://x", "str"), (3, "int"), ({"deadline": 3}, "dict")])
def test_settings_that_are_none_are_refused_with_what_is_wanted(kind: Any, given: object, what: str) -> None:
    with pytest.raises(TypeError) as caught:
        kind(given)

    name = kind.__name__
    assert str(caught.value).startswith(
        f"{name}: settings must be a Settings, as in {name}(Settings(...)); got a {what} "
    )
    assert "base_url" in str(caught.value)


# --- copies


def test_a_chain_may_be_given_one_by_one_or_as_a_list_or_in_one_text(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        made = [
            client.with_chain("azure", "litellm"),
            client.with_chain(["azure", "litellm"]),
            client.with_chain("azure, litellm"),
        ]

        assert {repr(each) for each in made} == {"ChatClient(chain='azure,litellm')"}
        with pytest.raises(errors.SettingsError, match=r"copy\(\): chain must list hops"):
            client.with_chain()
        with pytest.raises(errors.SettingsError, match=r"copy\(\): chain must list hops"):
            client.with_chain([])


def test_a_misspelled_option_of_a_copy_is_no_option(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client, pytest.raises(TypeError) as caught:
        client.with_options(dedline=3)

    assert str(caught.value) == (
        "ChatClient.copy() got an unexpected keyword argument 'dedline'; did you mean 'deadline'?"
    )


@pytest.mark.parametrize("name", sorted(inspect.signature(openai.OpenAI.copy).parameters.keys() - {"self"}))
def test_every_option_of_the_sdk_s_copy_is_taken_or_belongs_to_an_endpoint(box: Sandbox, name: str) -> None:
    taken = inspect.signature(ChatClient.copy).parameters
    with ChatClient(settings_for(box)) as client:
        if name not in taken:
            with pytest.raises(
                errors.SettingsError, match=rf"copy\(\) cannot change {name}: that belongs to an endpoint"
            ):
                client.copy(**cast("Any", {name: "new"}))
            client = client.copy(**cast("Any", {name: None}))

    assert isinstance(client, ChatClient)


def test_a_copy_keeps_its_own_webhook_secret(box: Sandbox) -> None:
    with ChatClient(settings_for(box), webhook_secret="one") as client:
        assert client.copy(webhook_secret="two").webhook_secret == "two"
        assert client.copy().webhook_secret == "one"


# --- attributes


@CLIENTS
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "hush"),
        ("admin_api_key", "hush"),
        ("base_url", "http://other.test"),
        ("organization", "mine"),
        ("project", "mine"),
        ("websocket_base_url", "ws://other.test"),
    ],
)
def test_what_belongs_to_an_endpoint_cannot_be_set_later(box: Sandbox, kind: Any, name: str, value: str) -> None:
    client = kind(settings_for(box))
    before = getattr(client, name, None)
    with pytest.raises(errors.SettingsError) as caught:
        setattr(client, name, value)

    assert str(caught.value) == (
        f"{kind.__name__}: cannot set {name}: that belongs to an endpoint; make a new client for it"
    )
    assert getattr(client, name, None) == before
    assert getattr(client.copy(), name, None) == before


@pytest.mark.parametrize("name", ["chain", "deadline", "on_loss", "stream_recovery", "hedge_after"])
def test_what_a_copy_may_choose_is_not_set(box: Sandbox, name: str) -> None:
    with ChatClient(settings_for(box)) as client, pytest.raises(errors.SettingsError) as caught:
        setattr(client, name, 3)

    assert str(caught.value) == f"ChatClient: cannot set {name}; use copy({name}=...)"


def test_what_is_there_already_may_be_set_again(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        client.api_key, client.base_url, client.organization = client.api_key, str(client.base_url), None
        client.mine = "a name that the client does not have"  # type: ignore[attr-defined]

        assert route_of(client.chat.completions.create(**HELLO)).hop == "litellm/chat"


def test_a_subclass_may_have_attributes_of_its_own(box: Sandbox) -> None:
    class Mine(ChatClient):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings)
            self.provider, self.http_client = "mine", None

    with Mine(settings_for(box)) as client:
        assert client.provider == "mine"
        assert route_of(client.chat.completions.create(**HELLO)).hop == "litellm/chat"


def test_a_timeout_may_be_taken_back(box: Sandbox) -> None:
    with ChatClient(settings_for(box), timeout=3) as client:
        client.timeout = cast("Any", openai.NOT_GIVEN)

        assert route_of(client.chat.completions.create(**HELLO)).hop == "litellm/chat"
        assert client.copy().timeout == client.timeout != 3


def test_retries_set_later_count_also_for_copies(box: Sandbox) -> None:
    box.inject("azure", "503")
    with ChatClient(settings_for(box), chain="azure/chat") as client:
        client.max_retries = 0
        sent = []
        for each in (client, client.copy(), client.copy(max_retries=1)):
            with pytest.raises(errors.CallError) as caught:
                each.chat.completions.create(**HELLO)
            sent.append(len(caught.value.route.attempts))
        with pytest.raises(errors.SettingsError, match="max_retries must be a whole number"):
            client.max_retries = cast("Any", "1")

    assert sent == [1, 1, 2]


def test_a_timeout_set_later_counts_also_for_copies(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        client.timeout = 3

        assert client.copy().timeout == 3


# --- the chain


@pytest.mark.parametrize(("name", "hint"), [("nope", ""), ("azur", "; did you mean 'azure'?")])
def test_only_an_endpoint_that_is_near_is_guessed(box: Sandbox, name: str, hint: str) -> None:
    with pytest.raises(errors.SettingsError) as caught:
        ChatClient(settings_for(box), chain=name)

    assert str(caught.value).endswith(f"litellm, openai){hint}")


def test_a_mode_against_the_only_hop_says_what_to_change(box: Sandbox) -> None:
    with (
        ChatClient(settings_for(box), chain="azure/responses") as client,
        pytest.raises(errors.CapabilityError) as caught,
    ):
        client.chat.completions.create(**HELLO, extra_body={"chatsheet": {"mode": "chat"}})

    assert (
        "(azure/responses: the call sets the mode to chat, and the chain names this hop for responses alone; "
        in str(caught.value)
    )
    assert "set no mode, or name 'azure' without one" in str(caught.value)


def test_the_settings_themselves_are_taken() -> None:
    with ChatClient(Settings(_env_file=None, litellm_base_url="http://one.test")) as client:
        assert repr(client) == "ChatClient(chain='litellm,azure/responses,azure/chat')"

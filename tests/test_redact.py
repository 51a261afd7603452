"""What is taken out of a provider's words: credentials, and what it quotes of the request; the rest stays as it was."""

from __future__ import annotations

import json
import time

import pytest

from chatsheet_llm.credentials import secrets_of_url
from chatsheet_llm.redact import Private, redact

PROMPT = 'Write a letter to "Ada Lovelace" about the engine,\nand mention the price of 4711 pounds at the end of it.'


def private(body: object, *secrets: str) -> Private:
    return Private(lambda: secrets, body)


def quoted(text: str, prompt: str = PROMPT) -> object:
    return private({"messages": [{"role": "user", "content": prompt}]}).without(text)


@pytest.mark.parametrize(
    "form", [str, json.dumps, lambda it: json.dumps(json.dumps(it)), repr], ids=["plain", "json", "json twice", "repr"]
)
def test_a_prompt_that_is_quoted_whole_goes(form: object) -> None:
    said = quoted(f"Sorry, {form(PROMPT)} is not allowed")  # type: ignore[operator]

    assert isinstance(said, str)
    assert said.startswith("Sorry, ")
    assert said.endswith(" is not allowed")
    assert "letter" not in said
    assert "pounds" not in said


@pytest.mark.parametrize("start", range(0, 40, 3))
@pytest.mark.parametrize("length", [47, 60])
def test_a_part_of_a_prompt_goes_wherever_it_was_cut(start: int, length: int) -> None:
    part = PROMPT.replace("\n", " ")[start : start + length]

    assert quoted(f"I saw >>{part}<< there", PROMPT.replace("\n", " ")) == "I saw >>[quoted]<< there"


@pytest.mark.parametrize(
    "text",
    [
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "Invalid schema for function 'get_weather': additionalProperties is required",
        "Previous response with id 'resp_0123456789abcdef0123456789abcdef' not found.",
        "messages[0].content: at least one is required",
        "The model `gpt-5-codex-of-our-own-deployment` does not exist",
        "",
    ],
)
def test_what_an_error_has_to_name_stays(text: str) -> None:
    body = {
        "model": "gpt-5-codex-of-our-own-deployment",
        "temperature": 1,
        "previous_response_id": "resp_0123456789abcdef0123456789abcdef",
        "messages": [{"role": "user", "content": PROMPT}, {"role": "user", "content": "temperature"}],
        "tools": [{"type": "function", "function": {"name": "get_weather"}}],
    }

    assert private(body).without(text) == text


@pytest.mark.parametrize(
    "body",
    [
        {"input": PROMPT},
        {"instructions": PROMPT},
        {"metadata": {"name": PROMPT}},
        {"metadata": {"user_id": PROMPT}},
        {"user": PROMPT},
        {"messages": [{"tool_calls": [{"function": {"name": "f", "arguments": json.dumps({"id": PROMPT})}}]}]},
        {"tools": [{"type": "mcp", "headers": {"Authorization": PROMPT}}]},
        ({"x": 1}, [PROMPT]),
    ],
    ids=str,
)
def test_the_caller_s_words_go_wherever_they_stood(body: object) -> None:
    assert private(body).without({"message": f"no: {PROMPT}", "n": 1, "also": [PROMPT]}) == {
        "message": "no: [quoted]",
        "n": 1,
        "also": ["[quoted]"],
    }


def test_a_credential_goes_in_keys_values_and_lists() -> None:
    made = private(None, "secret-of-eight").without({"secret-of-eight": ["x secret-of-eight y", None, True, 1.5]})

    assert made == {"[redacted]": ["x [redacted] y", None, True, 1.5]}


def test_nothing_is_read_before_something_has_failed() -> None:
    def never() -> list[str]:
        raise AssertionError

    assert repr(Private(never, {"input": PROMPT})) == "Private()"


def test_a_long_error_about_a_long_prompt_is_cleaned_soon() -> None:
    prompt = "".join(chr(97 + (number * number * 7919) % 26) for number in range(2_000_000))
    begun = time.perf_counter()
    made = quoted(f"no: {prompt[:1_000_000]} and {'z' * 1_000_000}", prompt)

    assert time.perf_counter() - begun < 2
    assert isinstance(made, str)
    assert prompt[100:160] not in made


def test_an_error_that_quotes_nothing_and_is_long_is_cut() -> None:
    assert len(str(quoted("z" * 100_000))) == 4000


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://proxy.test:8080", []),
        ("http://user@proxy.test", []),
        ("http://user:word@proxy.test", ["dXNlcjp3b3Jk", "word"]),
        ("http://us%40er:w%2Frd@proxy.test", ["dXNAZXI6dy9yZA==", "w%2Frd", "w/rd"]),
    ],
)
def test_the_password_of_a_proxy_is_known_as_it_travels(url: str, found: list[str]) -> None:
    assert sorted(secrets_of_url(url)) == found


def test_a_short_secret_is_left_alone_since_it_may_be_any_word() -> None:
    assert redact("none of it", ["none"]) == "none of it"

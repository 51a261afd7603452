"""The judge of the bench condemns what it must; and what comes of a prefill that is the caller's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from bench_running import (
    AZURE_CHAT,
    CLAUDE,
    FOUNDRY,
    NAMES,
    OPENAI_CHAT,
    WAYS,
    Place,
    Seen,
    Way,
    run,
    settings,
    verdict,
)
from bench_scenarios import SCENARIOS, Scenario
from client_cases import quick_sandbox
from openai.types.chat import ChatCompletion
from spoiling import NO_PREFILL, Spoiler, bad_event, no_done

from chatsheet_llm import ChatClient, errors
from chatsheet_llm.sandbox import Sandbox

WAY = WAYS[0]
AFTER_RESET = next(row for row in SCENARIOS if row.id == "S05")
CUT = next(row for row in SCENARIOS if row.id == "S08")
FILTERED = next(row for row in SCENARIOS if row.id == "S13")
HURRIED = next(row for row in SCENARIOS if row.gap)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with quick_sandbox(NAMES) as box:
        # What is imported with the first call shall not count as a provider's time.
        run(box, AFTER_RESET, WAYS[2], "sync", stream=True, needs={})
        yield box


def seen(box: Sandbox, row: Scenario = AFTER_RESET) -> Seen:
    """A run that passes."""
    found = run(box, row, WAY, "sync", stream=True, needs=row.needs)
    assert verdict(row, WAY, found) == ("pass", [])
    return found


def rejected(found: Seen) -> Seen:
    """The run as if the send that failed were said to have cost nothing."""
    first, *rest = found.route.attempts
    return replace(found, route=replace(found.route, attempts=(replace(first, send_state="rejected"), *rest)))


WRONG = {
    "a cut text": lambda s: replace(s, text=s.text[:40]),
    "a text that is there twice": lambda s: replace(s, text=s.text + s.text),
    "the texts of two hops": lambda s: replace(s, text=WAY.primary.answer[:40] + s.text),
    "the answer of the wrong hop": lambda s: replace(s, text=WAY.primary.answer, named=WAY.primary.named),
    "a send too many": lambda s: replace(s, asked=[*s.asked, s.asked[0]]),
    "a send that the route does not show": lambda s: replace(s, route=replace(s.route, attempts=s.route.attempts[1:])),
    "a send that is not said to be paid for": rejected,
    "no usage": lambda s: replace(s, usage=False),
    "the name of a model that did not answer": lambda s: replace(s, named=WAY.primary.named),
    "an error": lambda s: replace(s, text="", error=errors.ProviderError("x", route=s.route)),
    "too long a time": lambda s: replace(s, seconds=9.0),
    "a client that answers no more": lambda s: replace(s, alive=False),
    "a refused prefill": lambda s: replace(s, refused=1),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_the_judge_fails_what_is_wrong(change, box: Sandbox) -> None:
    assert verdict(AFTER_RESET, WAY, change(seen(box)))[0] == "fail"


def test_the_judge_fails_a_second_send_that_comes_too_soon(box: Sandbox) -> None:
    found = seen(box, HURRIED)
    first, second = found.asked
    found.asked[1] = replace(second, at=first.at + HURRIED.gap / 2)

    assert verdict(HURRIED, WAY, found)[0] == "fail"


def test_the_judge_calls_an_answer_around_a_refusal_partial(box: Sandbox) -> None:
    answered = seen(box)
    row = replace(AFTER_RESET, by=None, error=errors.ContentFilteredError)

    assert verdict(row, WAY, answered)[0] == "partial"


def test_the_judge_fails_a_refusal_of_another_class(box: Sandbox) -> None:
    found = seen(box, FILTERED)
    assert found.error is not None

    assert verdict(replace(FILTERED, error=errors.ContextLengthError), WAY, found)[0] == "fail"


def test_the_judge_fails_an_interruption_that_tells_another_text(box: Sandbox) -> None:
    found = run(box, CUT, WAY, "sync", stream=True, needs={})
    assert verdict(CUT, WAY, found, plain=True)[0] == "safe"
    assert isinstance(found.error, errors.StreamInterrupted)
    found.error.partial += "more"

    assert verdict(CUT, WAY, found, plain=True)[0] == "fail"


def test_the_spoiler_leaves_a_good_stream_around_what_it_spoils() -> None:
    raw = b"".join(b'data: {"n": %d}\n\n' % number for number in range(20)) + b"data: [DONE]\n\n"
    worse, lingers = bad_event(raw)
    shorter, _ = no_done(raw)

    assert (worse.count(b"\n\n"), worse.replace(b'data: {"choices": [{"ind\n\n', b"")) == (22, raw)
    assert not lingers
    assert shorter + b"data: [DONE]\n\n" == raw
    assert no_done(shorter) == (shorter, True)


# --- a prefill of the caller's own: Responses and Messages mean different things by it, so it never goes by accident

PREFILLED = [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": "The colour is"}]
CHAT, CLAUDES, MIXED = WAYS[0], WAYS[2], Way("Chat > Messages", "chat", OPENAI_CHAT, FOUNDRY)


def prefilled(box: Sandbox, way: Way, urls: Mapping[Place, str], **options: object) -> ChatCompletion:
    """Make the call with a prefill, over a chain of both hops."""
    known = {place: box.url(place.role) for place in (way.primary, way.backup)}
    told = settings(box, way, {**known, **urls})
    with ChatClient(told, chain=[way.primary.hop, way.backup.hop], **options) as client:
        return client.chat.completions.create(model="gpt-5", messages=PREFILLED)


def test_a_backup_that_would_go_on_from_a_prefill_is_not_asked_and_the_primary_s_failure_is_told(box: Sandbox) -> None:
    box.inject("openai", "503")
    with pytest.raises(errors.CallError) as caught:
        prefilled(box, MIXED, {})

    assert (caught.value.status_code, box.hits("azure")) == (503, 0)
    assert [skip.hop for skip in caught.value.route.skipped] == [FOUNDRY.hop]


def test_a_prefill_that_the_caller_insists_on_reaches_every_hop_as_it_is(box: Sandbox) -> None:
    box.inject("anthropic", "529")
    prefilled(box, CLAUDES, {}, on_loss="drop")

    turns = [(request.json or {})["messages"] for request in box.requests]
    assert turns == [PREFILLED, PREFILLED]


def test_a_prefill_that_a_model_refuses_is_the_caller_s_and_goes_to_nobody_else(box: Sandbox) -> None:
    with (
        Spoiler(box.url("anthropic"), no_prefill=True) as before,
        pytest.raises(errors.BadRequestError) as caught,
    ):
        prefilled(box, CLAUDES, {CLAUDE: before.url}, on_loss="drop")

    assert NO_PREFILL.rstrip(".") in str(caught.value)
    assert caught.value.route.sends == before.refused == 1
    assert box.requests == []


def test_a_gateway_s_refusal_of_a_prefill_does_not_hide_why_it_was_asked(box: Sandbox) -> None:
    box.inject("openai", "503")
    with Spoiler(box.url("azure"), no_prefill=True) as behind, pytest.raises(errors.CallError) as caught:
        prefilled(box, CHAT, {AZURE_CHAT: behind.url})

    assert NO_PREFILL.rstrip(".") in str(caught.value)
    assert "openai/chat 503 -> azure/chat 400" in str(caught.value)
    assert behind.refused == 1

"""What is learned of deployments: for how long it is believed, what takes it back, and that threads may share it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import pytest
from planning import Clock

from chatsheet_llm.learned import LESSONS, MOST, Learned, When
from chatsheet_llm.route import Mode

EXPIRY = 1200.0
WORD = "400 OperationNotSupported"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def learned(clock: Clock) -> Learned:
    return Learned(EXPIRY, clock)


def believed(learned: Learned) -> list[str]:
    return [str(lesson) for lesson in learned.lessons()]


# --- what teaches what


@pytest.mark.parametrize(
    ("fault", "when"),
    [("capability", "always"), ("deployment", "always"), ("tools_on_chat", "tools"), ("streaming", "stream")],
)
def test_a_fault_teaches_which_requests_an_api_refuses(learned: Learned, fault: str, when: When) -> None:
    taught = learned.refused("azure", "prod-7", "chat", fault, WORD)

    assert taught
    assert [(lesson.mode, lesson.when) for lesson in learned.lessons()] == [("chat", when)]
    assert learned.why_not("azure", "prod-7", "chat", when) == (fault, WORD)


def test_every_fault_that_teaches_is_tried_above() -> None:
    assert set(LESSONS) == {"capability", "deployment", "tools_on_chat", "streaming"}


@pytest.mark.parametrize("fault", ["rate", "content_filter", "", "Capability"])
def test_any_other_fault_teaches_nothing(learned: Learned, fault: str) -> None:
    taught = learned.refused("azure", "prod-7", "chat", fault, WORD)

    assert not taught
    assert learned.lessons() == ()


@pytest.mark.parametrize(
    ("endpoint", "deployment", "mode", "when"),
    [
        ("litellm", "prod-7", "chat", "always"),
        ("azure", "prod-8", "chat", "always"),
        ("azure", "prod-7", "responses", "always"),
        ("azure", "prod-7", "chat", "tools"),
        ("azure", "prod-7", "chat", "stream"),
    ],
)
def test_a_lesson_says_nothing_of_anything_else(
    learned: Learned, endpoint: str, deployment: str, mode: Mode, when: When
) -> None:
    learned.refused("azure", "prod-7", "chat", "capability", WORD)

    assert learned.why_not(endpoint, deployment, mode, when) is None


def test_the_last_word_of_an_api_is_the_one_that_is_told(learned: Learned) -> None:
    learned.refused("azure", "prod-7", "chat", "capability", "first")
    learned.refused("azure", "prod-7", "chat", "capability", "second")

    assert [lesson.reason for lesson in learned.lessons()] == ["second"]


# --- how long it is believed


@pytest.mark.parametrize(
    ("fault", "when", "seconds"),
    [
        ("capability", "always", EXPIRY),
        ("tools_on_chat", "tools", EXPIRY),
        ("streaming", "stream", EXPIRY),
        ("deployment", "always", EXPIRY / 12),
    ],
)
def test_a_refusal_is_believed_until_its_time_is_over(
    learned: Learned, clock: Clock, fault: str, when: When, seconds: float
) -> None:
    learned.refused("azure", "prod-7", "chat", fault, WORD)
    clock.now += seconds - 1
    just_before = learned.why_not("azure", "prod-7", "chat", when), learned.lessons()[0].seconds_left
    clock.now += 1

    assert just_before == ((fault, WORD), 1.0)
    assert learned.why_not("azure", "prod-7", "chat", when) is None
    assert learned.lessons() == ()


def test_a_refusal_that_is_heard_again_is_believed_anew(learned: Learned, clock: Clock) -> None:
    learned.refused("azure", "prod-7", "chat", "capability", WORD)
    clock.now += EXPIRY - 1
    learned.refused("azure", "prod-7", "chat", "capability", WORD)

    assert learned.lessons()[0].seconds_left == EXPIRY


def test_a_base_model_is_believed_until_its_time_is_over(learned: Learned, clock: Clock) -> None:
    learned.serves("azure", "prod-7", "gpt-5-codex", "gpt-5-codex")
    clock.now += EXPIRY - 1
    just_before = learned.base_model("azure", "prod-7")
    clock.now += 1

    assert just_before == "gpt-5-codex"
    assert learned.base_model("azure", "prod-7") is None


@pytest.mark.parametrize(("later", "left"), [(EXPIRY / 4, EXPIRY * 3 / 4), (EXPIRY * 3 / 4, EXPIRY)])
def test_a_base_model_that_is_named_again_is_renewed_when_half_its_time_is_over(
    learned: Learned, clock: Clock, later: float, left: float
) -> None:
    learned.serves("azure", "prod-7", "gpt-5", "gpt-5")
    clock.now += later
    learned.serves("azure", "prod-7", "gpt-5", "gpt-5")

    assert [lesson.seconds_left for lesson in learned.lessons()] == [left]


def test_a_newer_model_of_the_same_family_takes_the_place_of_the_first_at_once(learned: Learned) -> None:
    learned.serves("azure", "prod-7", "gpt-5-2025-08-07", "gpt-5")
    learned.serves("azure", "prod-7", "gpt-5-2025-10-01", "gpt-5")

    assert learned.base_model("azure", "prod-7") == "gpt-5-2025-10-01"
    assert learned.base_model("azure", "prod-8") is None
    assert learned.base_model("litellm", "prod-7") is None


def test_behind_a_router_no_model_is_believed_to_be_the_deployment_s(learned: Learned, clock: Clock) -> None:
    for name in ("gpt-5-mini", "gpt-5-codex", "gpt-5-mini", "gpt-5-mini"):
        learned.serves("azure", "router", name, name)
    several, told = learned.base_model("azure", "router"), believed(learned)
    clock.now += EXPIRY
    learned.serves("azure", "router", "gpt-5.4", "gpt-5.4")

    assert several is None
    assert told == ["azure: router is several models (gpt-5-mini and gpt-5-codex answered by turns)"]
    assert learned.base_model("azure", "router") == "gpt-5.4"


def test_tools_refused_beside_an_effort_are_not_refused_without_one(learned: Learned) -> None:
    learned.refused("azure", "prod-7", "chat", "tools_on_chat", WORD, effort=True)

    assert believed(learned) == [f"azure: prod-7 refuses chat with tools while it reasons ({WORD})"]
    assert learned.why_not("azure", "prod-7", "chat", "tools with effort") == ("tools_on_chat", WORD)
    assert learned.why_not("azure", "prod-7", "chat", "tools") is None


def test_what_one_api_says_of_streams_it_says_of_the_model(learned: Learned) -> None:
    learned.refused("azure", "prod-7", "chat", "streaming", WORD)
    said = learned.why_not_streamed("azure", "prod-7")
    learned.answered("azure", "prod-7", "responses", stream=True)

    assert said == ("streaming", WORD)
    assert learned.why_not_streamed("azure", "prod-8") is None
    assert learned.why_not_streamed("azure", "prod-7") is None


def test_a_deployment_that_no_api_knows_teaches_nothing_for_a_while(learned: Learned, clock: Clock) -> None:
    modes: list[Mode] = ["chat", "responses", "chat", "responses"]
    taught = [learned.refused("azure", "typo", mode, "deployment", WORD) for mode in modes]
    left = learned.lessons()
    clock.now += EXPIRY / 12
    later = learned.refused("azure", "typo", "chat", "deployment", WORD)

    assert taught == [True, False, False, False]
    assert left == ()
    assert later


@pytest.mark.parametrize(("fault", "weak"), [("deployment", True), ("capability", False), ("tools_on_chat", False)])
def test_only_a_deployment_that_is_not_known_is_a_weak_lesson(learned: Learned, fault: str, weak: bool) -> None:
    learned.refused("azure", "prod-7", "chat", fault, WORD)

    assert learned.doubtful("azure", "prod-7") is weak
    assert not learned.doubtful("azure", "prod-8")


# --- what takes it back


def test_an_api_that_answers_does_not_refuse_every_request(learned: Learned) -> None:
    learned.refused("azure", "prod-7", "chat", "capability", WORD)
    learned.answered("azure", "prod-7", "chat", stream=False)

    assert learned.lessons() == ()


@pytest.mark.parametrize(("stream", "left"), [(False, {"tools", "stream"}), (True, {"tools"})])
def test_an_answer_takes_back_only_what_it_shows_to_be_wrong(learned: Learned, stream: bool, left: set[str]) -> None:
    for fault in ("capability", "tools_on_chat", "streaming"):
        learned.refused("azure", "prod-7", "chat", fault, WORD)
    learned.answered("azure", "prod-7", "chat", stream=stream)

    assert {lesson.when for lesson in learned.lessons()} == left


def test_an_answer_says_nothing_of_another_api_deployment_or_endpoint(learned: Learned) -> None:
    learned.refused("azure", "prod-7", "chat", "capability", WORD)
    for endpoint, deployment, mode in (
        ("azure", "prod-7", "responses"), ("azure", "prod-8", "chat"), ("litellm", "prod-7", "chat"),
    ):  # fmt: skip
        learned.answered(endpoint, deployment, mode, stream=True)  # type: ignore[arg-type]

    assert len(learned.lessons()) == 1


def test_a_deployment_that_both_apis_deny_is_no_fault_of_an_api(learned: Learned) -> None:
    first = learned.refused("azure", "prod-7", "chat", "deployment", "404")
    second = learned.refused("azure", "prod-7", "responses", "deployment", "404")

    assert (first, second) == (True, False)
    assert learned.lessons() == ()


def test_the_same_api_may_deny_a_deployment_twice(learned: Learned) -> None:
    for _ in range(2):
        learned.refused("azure", "prod-7", "chat", "deployment", "404")

    assert believed(learned) == ["azure: prod-7 refuses chat (404)"]


@pytest.mark.parametrize(("endpoint", "deployment"), [("azure", "prod-8"), ("litellm", "prod-7")])
def test_what_is_denied_elsewhere_cancels_nothing(learned: Learned, endpoint: str, deployment: str) -> None:
    learned.refused("azure", "prod-7", "chat", "deployment", "404")
    learned.refused(endpoint, deployment, "responses", "deployment", "404")

    assert len(learned.lessons()) == 2


def test_a_denied_deployment_cancels_no_refusal_of_another_kind(learned: Learned) -> None:
    learned.refused("azure", "prod-7", "chat", "capability", WORD)
    learned.refused("azure", "prod-7", "responses", "deployment", "404")

    assert believed(learned) == [f"azure: prod-7 refuses chat ({WORD})", "azure: prod-7 refuses responses (404)"]


# --- what is told, and forgotten


def test_lessons_are_told_in_words_in_the_order_in_which_they_were_heard(learned: Learned) -> None:
    learned.serves("azure", "prod-7", "gpt-5-codex", "gpt-5-codex")
    learned.refused("azure", "prod-7", "chat", "capability", WORD)
    learned.refused("azure", "tool", "chat", "tools_on_chat", "400")
    learned.refused("litellm", "slow", "responses", "streaming", "400")

    assert believed(learned) == [
        "azure: prod-7 is gpt-5-codex (named in its answers)",
        f"azure: prod-7 refuses chat ({WORD})",
        "azure: tool refuses chat with tools (400)",
        "litellm: slow refuses responses as a stream (400)",
    ]


@pytest.mark.parametrize(
    ("endpoint", "deployment", "forgotten"),
    [
        (None, None, ["azure a", "azure b", "litellm a"]),
        ("azure", None, ["azure a", "azure b"]),
        (None, "a", ["azure a", "litellm a"]),
        ("azure", "a", ["azure a"]),
        ("openai", None, []),
        (None, "c", []),
    ],
)
def test_what_is_about_an_endpoint_or_a_deployment_can_be_forgotten(
    learned: Learned, endpoint: str | None, deployment: str | None, forgotten: list[str]
) -> None:
    learned.refused("azure", "a", "chat", "capability", WORD)
    learned.serves("azure", "b", "gpt-5", "gpt-5")
    learned.refused("litellm", "a", "responses", "capability", WORD)
    before = learned.lessons()
    told = learned.forget(endpoint, deployment)

    assert [f"{lesson.endpoint} {lesson.deployment}" for lesson in told] == forgotten
    assert learned.lessons() == tuple(lesson for lesson in before if lesson not in told)


# --- how much, and by whom


def test_beyond_the_most_what_was_heard_of_first_is_forgotten(learned: Learned) -> None:
    for number in range(MOST + 1):
        learned.serves("azure", f"d{number}", "gpt-5", "gpt-5")

    assert len(learned.lessons()) == MOST
    assert learned.base_model("azure", "d0") is None
    assert learned.base_model("azure", "d1") == "gpt-5"
    assert learned.base_model("azure", f"d{MOST}") == "gpt-5"


def test_what_is_known_already_takes_no_place_of_another(learned: Learned) -> None:
    for number in range(MOST):
        learned.refused("azure", f"d{number}", "chat", "capability", WORD)
    learned.refused("azure", "d5", "chat", "capability", WORD)

    assert len(learned.lessons()) == MOST


def test_a_copy_knows_the_same_and_then_goes_its_own_way(learned: Learned, clock: Clock) -> None:
    learned.refused("azure", "prod-7", "chat", "capability", WORD)
    copy = learned.copy()
    same = copy.lessons() == learned.lessons()
    copy.serves("azure", "prod-7", "gpt-5", "gpt-5")
    learned.forget()
    clock.now += EXPIRY - 1

    assert same
    assert learned.lessons() == ()
    assert [lesson.seconds_left for lesson in copy.lessons()] == [1.0, 1.0]


def test_a_copy_does_not_wait_for_a_lock_that_another_holds(learned: Learned) -> None:
    learned.serves("azure", "prod-7", "gpt-5", "gpt-5")
    with learned._lock:
        copied = learned.copy().base_model("azure", "prod-7")

    assert copied == "gpt-5"


def slow() -> float:
    """A clock at which another thread gets its turn."""
    time.sleep(0)
    return time.monotonic()


def test_threads_may_share_it() -> None:
    learned, failures = Learned(EXPIRY, slow), []
    names = [f"d{number}" for number in range(7)]
    tasks: tuple[Callable[[str], object], ...] = (
        lambda name: learned.refused("azure", name, "chat", "deployment", WORD),
        lambda name: learned.refused("azure", name, "responses", "deployment", WORD),
        lambda name: learned.refused("azure", name, "chat", "streaming", WORD),
        lambda name: learned.answered("azure", name, "chat", stream=True),
        lambda name: learned.serves("azure", name, "gpt-5", "gpt-5"),
        lambda name: learned.why_not("azure", name, "chat", "always"),
        lambda name: learned.copy().lessons(),
        lambda name: learned.forget(deployment=name),
        lambda name: learned.forget("azure"),
    )
    begin = threading.Barrier(len(tasks))

    def work(task: Callable[[str], object]) -> None:
        begin.wait()
        try:
            for name in itertools.islice(itertools.cycle(names), 700):
                task(name)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert not any(thread.is_alive() for thread in threads)
    assert {lesson.deployment for lesson in learned.lessons()} <= set(names)

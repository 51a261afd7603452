"""The rules that choose the API of a hop, in their order, and what speaks against an API.  No body and no chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chatsheet_llm.capabilities import Capability
from chatsheet_llm.learned import Learned
from chatsheet_llm.modes import DOUBTS, RULES, Question, choose, conflict, doubt, objection
from chatsheet_llm.route import Mode

BOTH = Capability("both", frozenset({"chat", "responses"}), "a page", "2026-01")
CODEX = replace(BOTH, family="codex", apis=frozenset({"responses"}))
OLD = replace(BOTH, family="old", apis=frozenset({"chat"}))
CLAUDE = replace(BOTH, family="claude", apis=frozenset({"messages"}))
THINKER = replace(BOTH, family="thinker", tools_with_effort_on_chat=False)
STRICT = replace(THINKER, family="strict", tools_without_effort_on_chat=False)

PLAIN = Question(
    own="chat", endpoint="azure", kind="azure", speaks=("responses", "chat"), name="model", deployment="prod-7"
)


def taught(mode: Mode, fault: str, *, endpoint: str = "azure", deployment: str = "prod-7") -> Learned:
    learned = Learned(expiry=1e9)
    learned.refused(endpoint, deployment, mode, fault, f"its word on {fault}")
    return learned


# --- choose: the order of the rules


ALL = replace(
    PLAIN,
    call_mode="chat",
    entry_mode="responses",
    hop_mode="messages",
    learned=taught("chat", "capability"),
    capability=replace(STRICT, apis=frozenset({"responses"})),
    tools=True,
    effort="low",
)
"""Every rule has something to say of this one."""

PEELED: tuple[tuple[str, Callable[[Question], Question]], ...] = (
    ("call mode", lambda asked: replace(asked, call_mode=None)),
    ("model mode", lambda asked: replace(asked, entry_mode=None)),
    ("hop mode", lambda asked: replace(asked, hop_mode=None)),
    ("learned", lambda asked: replace(asked, learned=None)),
    ("capability", lambda asked: replace(asked, capability=STRICT)),
    ("tools", lambda asked: replace(asked, tools=False)),
    ("own format", lambda asked: replace(asked, speaks=("responses",))),
    ("endpoint", lambda asked: asked),
)
"""Each rule, and the same question without what that rule goes by: then it is the turn of the next."""


def test_the_first_rule_that_applies_decides() -> None:
    decided, asked = [], ALL
    for _, without in PEELED:
        decided.append(choose(asked).rule)
        asked = without(asked)

    assert decided == [rule for rule, _ in PEELED]
    assert set(decided) == set(RULES)


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        (ALL, "chat"),
        (replace(ALL, call_mode=None), "responses"),
        (replace(ALL, call_mode=None, entry_mode=None), "messages"),
        (replace(PLAIN, own="responses"), "responses"),
        (PLAIN, "chat"),
        (replace(PLAIN, capability=CODEX), "responses"),
        (replace(PLAIN, own="responses", capability=OLD), "chat"),
        (replace(PLAIN, speaks=("messages",)), "messages"),
    ],
)
def test_the_rule_gives_its_own_api(asked: Question, mode: Mode) -> None:
    assert choose(asked).mode == mode


@pytest.mark.parametrize("field", ["call_mode", "entry_mode", "hop_mode"])
def test_a_mode_that_was_set_is_not_weighed_here(field: str) -> None:
    asked = replace(PLAIN, capability=CODEX, learned=taught("chat", "capability"), **{field: "chat"})  # type: ignore[arg-type]

    assert choose(asked).mode == "chat"


def test_an_endpoint_without_the_caller_s_format_is_asked_for_the_first_that_nothing_speaks_against() -> None:
    asked = replace(PLAIN, own="messages", capability=OLD)

    assert choose(replace(asked, speaks=("chat", "responses")))[:2] == ("chat", "endpoint")
    assert choose(replace(asked, speaks=("responses", "chat")))[:2] == ("chat", "endpoint")


def test_where_something_speaks_against_every_api_the_caller_s_own_stays() -> None:
    asked = replace(PLAIN, capability=CODEX, learned=taught("responses", "capability"))

    assert choose(asked)[:2] == ("chat", "endpoint")
    assert choose(replace(asked, own="messages"))[:2] == ("responses", "endpoint")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (replace(PLAIN, call_mode="chat"), "the call sets the mode"),
        (replace(PLAIN, entry_mode="chat"), "the model entry sets the mode"),
        (replace(PLAIN, hop_mode="chat"), "the hop names the mode"),
        (PLAIN, "the caller's own format"),
        (replace(PLAIN, speaks=("responses", "messages")), "endpoint 'azure' speaks responses and messages"),
        (
            replace(PLAIN, learned=taught("chat", "capability")),
            "endpoint 'azure' refused chat for 'prod-7': its word on capability",
        ),
        (
            replace(PLAIN, capability=CODEX),
            "model is served through /v1/responses, not /v1/chat/completions (a page, 2026-01)",
        ),
    ],
)
def test_a_choice_says_why(asked: Question, reason: str) -> None:
    assert choose(asked).reason == reason


def test_every_doubt_is_a_rule() -> None:
    assert set(RULES) > DOUBTS


# --- doubt: what the endpoint has shown, then the table


@pytest.mark.parametrize(
    ("asked", "mode", "rule"),
    [
        (PLAIN, "chat", None),
        (replace(PLAIN, learned=Learned()), "chat", None),
        (replace(PLAIN, learned=taught("chat", "capability")), "chat", "learned"),
        (replace(PLAIN, learned=taught("chat", "capability")), "responses", None),
        (replace(PLAIN, learned=taught("chat", "deployment")), "chat", "learned"),
        (replace(PLAIN, learned=taught("chat", "streaming")), "chat", None),
        (replace(PLAIN, learned=taught("chat", "capability", endpoint="litellm")), "chat", None),
        (replace(PLAIN, learned=taught("chat", "capability", deployment="prod-8")), "chat", None),
        # what was learned stands above the table
        (replace(PLAIN, capability=CODEX, learned=taught("chat", "capability")), "chat", "learned"),
        (replace(PLAIN, capability=BOTH, learned=taught("responses", "capability")), "responses", "learned"),
        (replace(PLAIN, capability=CODEX, learned=taught("responses", "capability")), "chat", "capability"),
    ],
)
def test_what_an_endpoint_has_shown_comes_before_the_table(asked: Question, mode: Mode, rule: str | None) -> None:
    found = doubt(asked, mode)

    assert (found.rule if found is not None else None) == rule


@pytest.mark.parametrize(
    ("tools", "effort", "rule"),
    [
        (True, "low", "learned"),
        (True, None, "learned"),
        (True, "none", None),
        (False, "low", None),
        (False, None, None),
    ],
)
def test_a_lesson_on_tools_holds_for_tools_while_the_model_may_reason(
    tools: bool, effort: str | None, rule: str | None
) -> None:
    found = doubt(replace(PLAIN, tools=tools, effort=effort, learned=taught("chat", "tools_on_chat")), "chat")

    assert (found.rule if found is not None else None) == rule


def test_a_refusal_of_every_request_is_told_before_one_of_tools() -> None:
    learned = taught("chat", "tools_on_chat")
    learned.refused("azure", "prod-7", "chat", "capability", "of every request")
    found = doubt(replace(PLAIN, tools=True, learned=learned), "chat")

    assert found is not None
    assert found.reason.endswith("of every request")


# --- objection: what the table says


@pytest.mark.parametrize(
    ("row", "kind", "mode", "rule"),
    [
        (None, "azure", "chat", None),
        (BOTH, "azure", "chat", None),
        (BOTH, "azure", "responses", None),
        (CODEX, "azure", "chat", "capability"),
        (CODEX, "litellm", "chat", "capability"),
        (CODEX, "azure", "responses", None),
        (OLD, "azure", "responses", "capability"),
        # an endpoint of Messages serves a model of its own
        (CODEX, "anthropic", "messages", None),
        (BOTH, "anthropic", "messages", None),
        # a gateway may serve Claude through any API, Azure OpenAI through none
        (CLAUDE, "azure", "chat", "capability"),
        (CLAUDE, "azure", "responses", "capability"),
        (CLAUDE, "litellm", "chat", None),
        (CLAUDE, "openai", "responses", None),
    ],
)
def test_the_table_objects_to_an_api_that_the_model_is_not_served_through(
    row: Capability | None, kind: str, mode: Mode, rule: str | None
) -> None:
    found = objection(replace(PLAIN, kind=kind, capability=row), mode)

    assert (found.rule if found is not None else None) == rule


@pytest.mark.parametrize(
    ("row", "effort", "objects"),
    [
        (BOTH, "low", False),
        (BOTH, None, False),
        (THINKER, "low", True),
        (THINKER, None, False),
        (THINKER, "none", False),
        (STRICT, "low", True),
        (STRICT, None, True),
        (STRICT, "none", False),
    ],
)
def test_tools_are_weighed_on_chat_alone_by_the_effort_beside_them(
    row: Capability, effort: str | None, objects: bool
) -> None:
    asked = replace(PLAIN, capability=row, effort=effort, tools=True)

    assert (objection(asked, "chat") is not None) == objects
    assert objection(asked, "responses") is None
    assert objection(replace(asked, tools=False), "chat") is None


@pytest.mark.parametrize(
    ("effort", "said"),
    [
        ("low", "model takes tools with reasoning_effort 'low' through /v1/responses alone (a page, 2026-01)"),
        (None, "model takes tools without an effort through /v1/responses alone (a page, 2026-01)"),
    ],
)
def test_an_objection_says_what_the_request_wants_and_where_it_was_read(effort: str | None, said: str) -> None:
    found = objection(replace(PLAIN, capability=STRICT, tools=True, effort=effort), "chat")

    assert found is not None
    assert (found.rule, found.reason) == ("tools", said)


def test_an_objection_names_every_api_that_there_is() -> None:
    found = objection(replace(PLAIN, capability=replace(BOTH, apis=frozenset({"chat", "messages"}))), "responses")

    assert found is not None
    assert "through /v1/chat/completions and /v1/messages, not /v1/responses" in found.reason


# --- conflict: an explicit mode that the table excludes


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (replace(PLAIN, call_mode="chat"), None),
        (replace(PLAIN, call_mode="chat", capability=CODEX), "and the call sets the mode to Chat"),
        (replace(PLAIN, entry_mode="chat", capability=CODEX), "and the model entry sets the mode to Chat"),
        (replace(PLAIN, entry_mode="responses", capability=OLD), "and the model entry sets the mode to Responses"),
        (replace(PLAIN, call_mode="responses", capability=CODEX), None),
        (replace(PLAIN, call_mode="chat", capability=THINKER, tools=True, effort="low"), "through /v1/responses alone"),
        (replace(PLAIN, call_mode="chat", capability=THINKER, tools=True, effort="none"), None),
        (replace(PLAIN, call_mode="messages", capability=CODEX), None),
        # the mode of a hop is a wish of the chain, which other hops may grant
        (replace(PLAIN, hop_mode="chat", capability=CODEX), None),
        (replace(PLAIN, capability=CODEX), None),
        # what the endpoint itself has said is certain; that a deployment was not found is not
        (replace(PLAIN, call_mode="chat", learned=taught("chat", "capability")), "and the call sets the mode to Chat"),
        (replace(PLAIN, call_mode="chat", learned=taught("chat", "deployment")), None),
    ],
)
def test_an_explicit_mode_that_is_certain_to_be_refused_is_a_conflict(asked: Question, said: str | None) -> None:
    found = conflict(asked, choose(asked))

    assert (found is None) == (said is None)
    assert (said or "") in (found or "")

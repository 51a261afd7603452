"""The capability table: one row a model family, each with its source and date.  Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from chatsheet_llm.capabilities.row import Capability
from chatsheet_llm.route import Mode

_BOTH: frozenset[Mode] = frozenset({"chat", "responses"})
_RESPONSES: frozenset[Mode] = frozenset({"responses"})
_CHAT: frozenset[Mode] = frozenset({"chat"})

_REASONING_ON_CHAT = frozenset(
    {
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "max_tokens",
    }
)
_SAMPLING = frozenset({"temperature", "top_p", "top_logprobs"})
"""Refused on Responses too: gpt-5.2 and gpt-5.2-codex; openai's limitations of reasoning."""
_AT_NONE = frozenset({"temperature", "top_p", "logprobs", "top_logprobs"})
"""Taken by gpt-5.1 and later while they do not reason."""
_PARALLEL = frozenset({"parallel_tool_calls"})
_MODELS = "ms-models"
_REASONS = "ms-reasoning"
_ELSEWHERE: Mapping[str, str] = {
    "reasoning": f"{_REASONS}, 2026-03",
    "streaming": f"{_REASONS}, 2026-03",
    "efforts": f"{_REASONS}, 2026-03",
    "default_effort": "vercel/ai#10932, 2025",
    "refused_on_chat": f"{_REASONS}, 2026-03",
    "renamed_on_chat": f"{_REASONS}, 2026-03",
    "refused": "software-agent-sdk#1837, 2026",
    "taken_at_none": "vercel/ai#10932, 2025",
    "input_window": f"{_MODELS}, 2026-06-11",
    "output_window": f"{_MODELS}, 2026-06-11",
}
"""Where a reasoning model's fields were read that do not come from the row's own source."""


def _thinks(
    family: str,
    apis: frozenset[Mode],
    efforts: str | None,
    windows: tuple[int, int] | None,
    *,
    source: str = _REASONS,
    date: str = "2026-03",
    and_later: bool = False,
    streaming: bool = True,
    with_effort: bool = True,
    without_effort: bool = True,
    refused: frozenset[str] = frozenset(),
    at_none: bool = False,
    default_effort: str | None = None,
    sources: Mapping[str, str] | None = None,
    note: str = "",
) -> Capability:
    """A row of a reasoning model: they refuse sampling parameters, and on chat they rename ``max_tokens``."""
    return Capability(
        family=family,
        apis=apis,
        source=source,
        date=date,
        and_later=and_later,
        streaming=streaming,
        reasoning=True,
        tools_with_effort_on_chat=with_effort,
        tools_without_effort_on_chat=without_effort,
        refused_on_chat=_REASONING_ON_CHAT,
        refused=refused | _SAMPLING,
        taken_at_none=_AT_NONE if at_none else frozenset(),
        renamed_on_chat={"max_tokens": "max_completion_tokens"},
        efforts=tuple(efforts.split()) if efforts else None,
        default_effort=default_effort,
        input_window=windows[0] if windows else None,
        output_window=windows[1] if windows else None,
        note=note,
        sources={
            **_ELSEWHERE,
            **({"refused": f"{_ELSEWHERE['refused']}; {_REASONS}, 2026-03"} if refused else {}),
            **(sources or {}),
        },
    )


_GPT5, _LARGE, _O = (272_000, 128_000), (922_000, 128_000), (200_000, 100_000)
_LOW, _MINIMAL, _NONE, _XHIGH = (
    "low medium high",
    "minimal low medium high",
    "none low medium high",
    "none low medium high xhigh",
)


class _By5_4(TypedDict):
    source: str
    date: str
    with_effort: bool
    at_none: bool
    default_effort: str
    sources: Mapping[str, str]


class _By5_6(TypedDict):
    source: str
    date: str
    and_later: bool
    with_effort: bool
    without_effort: bool
    sources: Mapping[str, str]


_SINCE_5_4 = {"efforts": "meerkat-core's notes on OpenAI's API, 2026"}
_BY_5_4 = _By5_4(
    source=_MODELS,
    date="2026-06-11",
    with_effort=False,
    at_none=True,
    default_effort="none",
    sources={
        **_SINCE_5_4,
        "tools_with_effort_on_chat": "pipecat#4043, 2026",
        "tools_without_effort_on_chat": "pipecat#4043, 2026",
    },
)
_BY_5_6 = _By5_6(
    source="litellm#34569, oh-my-pi#11052",
    date="2026",
    and_later=True,
    with_effort=False,
    without_effort=False,
    sources=_SINCE_5_4,
)

CAPABILITIES: tuple[Capability, ...] = (
    # Responses only.
    _thinks("gpt-5-codex", _RESPONSES, _LOW, _GPT5),
    _thinks("gpt-5.1-codex", _RESPONSES, None, _GPT5, and_later=True, note="chat answered until 2025-12-09"),
    _thinks("gpt-5.1-codex-mini", _RESPONSES, None, _GPT5, and_later=True),
    _thinks(
        "gpt-5.1-codex-max", _RESPONSES, None, _GPT5, and_later=True, note="takes xhigh; documents disagree on none"
    ),
    _thinks("codex-mini", _RESPONSES, None, None),
    _thinks("gpt-5-pro", _RESPONSES, "high", _GPT5, streaming=False, refused=_PARALLEL),
    _thinks("gpt-5.2-pro", _RESPONSES, None, _GPT5, source="litellm's cost map", date="2026-11"),
    _thinks("gpt-5.4-pro", _RESPONSES, None, _LARGE, source=_MODELS, date="2026-06-11", and_later=True),
    _thinks("o3-pro", _RESPONSES, _LOW, _O, streaming=False, refused=_PARALLEL, note="background mode is advised"),
    _thinks("o1-pro", _RESPONSES, _LOW, _O, refused=_PARALLEL, note="chat was not verified"),
    _thinks("o3-deep-research", _RESPONSES, None, _O, refused=_PARALLEL, note="chat was not verified"),
    _thinks("o4-mini-deep-research", _RESPONSES, None, _O, refused=_PARALLEL, note="chat was not verified"),
    Capability("computer-use-preview", _RESPONSES, _MODELS, "2026-06-11"),
    # Both APIs, reasoning.
    _thinks("gpt-5", _BOTH, _MINIMAL, _GPT5),
    _thinks("gpt-5-mini", _BOTH, _MINIMAL, _GPT5),
    _thinks("gpt-5-nano", _BOTH, _MINIMAL, _GPT5),
    _thinks("gpt-5.1", _BOTH, _NONE, _GPT5, at_none=True, default_effort="none"),
    # Later ones take xhigh too, by some reports; which efforts each takes was not found written.
    _thinks(
        "gpt-5.2",
        _BOTH,
        None,
        _GPT5,
        source=_MODELS,
        date="2026-06-11",
        and_later=True,
        at_none=True,
        default_effort="none",
    ),
    _thinks("gpt-5.4", _BOTH, _XHIGH, _LARGE, and_later=True, **_BY_5_4),
    _thinks("gpt-5.4-mini", _BOTH, _XHIGH, _GPT5, and_later=True, **_BY_5_4),
    _thinks("gpt-5.4-nano", _BOTH, _XHIGH, _GPT5, and_later=True, **_BY_5_4),
    _thinks("gpt-5.6", _BOTH, _XHIGH, None, **_BY_5_6),
    _thinks("gpt-5.6-mini", _BOTH, _XHIGH, None, **_BY_5_6),
    _thinks("gpt-5.6-nano", _BOTH, _XHIGH, None, **_BY_5_6),
    _thinks("gpt-5.6-sol", _BOTH, _XHIGH, None, **_BY_5_6),
    _thinks("gpt-5.6-terra", _BOTH, _XHIGH, None, **_BY_5_6),
    _thinks("gpt-5.6-luna", _BOTH, _XHIGH, None, **_BY_5_6),
    _thinks("gpt-6-astra", _BOTH, _XHIGH, None, **_BY_5_6),
    _thinks("o1", _BOTH, _LOW, _O, streaming=False, refused=_PARALLEL),
    _thinks("o3", _BOTH, _LOW, _O, refused=_PARALLEL, note="streaming is limited access"),
    _thinks("o3-mini", _BOTH, _LOW, _O, refused=_PARALLEL),
    _thinks("o4-mini", _BOTH, _LOW, _O, refused=_PARALLEL),
    # Both APIs, not listed as reasoning models.
    Capability("gpt-5-chat", _BOTH, _MODELS, "2026-06-11", and_later=True, input_window=111_616, output_window=16_384),
    Capability("gpt-chat", _BOTH, _MODELS, "2026-06-11"),
    Capability("gpt-4o", _BOTH, "ms-responses", "2026-01"),
    Capability("gpt-4o-mini", _BOTH, "ms-responses", "2026-01"),
    Capability("gpt-4.1", _BOTH, "ms-responses", "2026-01"),
    Capability("gpt-4.1-mini", _BOTH, "ms-responses", "2026-01"),
    Capability("gpt-4.1-nano", _BOTH, "ms-responses", "2026-01"),
    # Chat only in practice.
    Capability("gpt-3.5-turbo", _CHAT, "ms-responses", "2026-01", note="not listed for Responses"),
    Capability("gpt-3.5-turbo-16k", _CHAT, "ms-responses", "2026-01", note="not listed for Responses"),
    Capability("gpt-4", _CHAT, "ms-responses", "2026-01", note="not listed for Responses"),
    Capability("gpt-4-32k", _CHAT, "ms-responses", "2026-01", note="not listed for Responses"),
    Capability("gpt-4-turbo", _CHAT, "ms-responses", "2026-01", note="not listed for Responses"),
)
"""One row a family.  ``source`` names the vendor page or public report, ``date`` when it was written."""

CLAUDE = Capability("claude", frozenset({"messages"}), "anthropic", "2026", note="every version of the family")
"""Claude speaks Messages; which parameters its versions take, the bridge to Messages knows."""

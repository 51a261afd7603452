"""What a model family can do, as data: APIs, streaming, refused parameters, windows.  A hint; refuses to guess.

Azure answers at run time are right where this table is wrong, so a caller corrects it and never argues with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from chatsheet_llm.route import Mode

_BOTH: frozenset[Mode] = frozenset({"chat", "responses"})
_RESPONSES: frozenset[Mode] = frozenset({"responses"})
_CHAT: frozenset[Mode] = frozenset({"chat"})

ANY_VARIANT = "*"
"""As last part of a family (``gpt-5.6-*``): every variant that no row names."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What one model family can do, and where that was read.

    ``family`` is parsed like a model name (``gpt-5.1-codex-mini``: series, version, variant); with ``and_later`` the
    row also covers every later version of the same variant, up to the next row of that variant.  ``streaming`` is
    whether any API streams.  On Chat Completions, ``tools_with_effort_on_chat`` is whether function tools work while
    reasoning (an effort other than ``none``), ``tools_without_effort_on_chat`` whether they work when no effort is
    sent; effort ``none`` works with tools wherever ``efforts`` has it.  ``refused_on_chat`` parameters are refused
    there, ``refused`` ones by every API; ``renamed_on_chat`` says what to send instead.  An empty set means that no
    refusal is known.  ``efforts`` and the windows (tokens) are None where unknown.
    """

    family: str
    apis: frozenset[Mode]
    source: str
    date: str
    and_later: bool = False
    streaming: bool = True
    reasoning: bool = False
    tools_with_effort_on_chat: bool = True
    tools_without_effort_on_chat: bool = True
    refused_on_chat: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    renamed_on_chat: Mapping[str, str] = field(default_factory=dict, hash=False)
    efforts: tuple[str, ...] | None = None
    input_window: int | None = None
    output_window: int | None = None
    note: str = ""

    def refuses(self, mode: Mode) -> frozenset[str]:
        """The names of the request parameters that this family refuses in a mode."""
        return self.refused | self.refused_on_chat if mode == "chat" else self.refused


@dataclass(frozen=True, slots=True, order=True)
class ModelName:
    """A parsed model name: ``gpt-5.1-codex-mini`` is series ``gpt``, version (5, 1), variant ``codex-mini``."""

    series: str
    version: tuple[int, int]
    variant: str


# `gpt-35` is how Azure spells 3.5; a snapshot is a date (2025-08-07), its old short form (0613), or `latest`.
_NAME = re.compile(
    r"(?P<series>gpt-|o)(?P<major>35|\d)(?:\.(?P<minor>\d{1,2}))?(?P<omni>o?)"
    r"(?P<variant>(?:-[a-z0-9]*[a-z][a-z0-9]*)*?)"
    r"(?:-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest))?"
)
_UNVERSIONED = re.compile(
    r"(?P<series>codex-mini|computer-use-preview|gpt-chat)(?:-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest))?",
)


def parse_name(name: str) -> ModelName | None:
    """Parse a model name, or None where it is none that follows OpenAI's naming.

    The whole name must match, so ``my-gpt-5-codex-prod`` and ``azure/gpt-5`` are None: a deployment's name or a routing
    string says nothing about the model.  Case and surrounding white space do not matter.
    """
    name = name.strip().lower()
    if found := _UNVERSIONED.fullmatch(name):
        return ModelName(found["series"], (0, 0), "")
    if not (found := _NAME.fullmatch(name)):
        return None
    version = (3, 5) if found["major"] == "35" else (int(found["major"]), int(found["minor"] or 0))
    return ModelName(found["series"].rstrip("-") + found["omni"], version, found["variant"].lstrip("-"))


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
_PARALLEL = frozenset({"parallel_tool_calls"})
_MODELS = "ms-models"
_REASONS = "ms-reasoning"


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
    note: str = "",
) -> Capability:
    """A row of a reasoning model: on chat they refuse sampling parameters and rename ``max_tokens``."""
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
        refused=refused,
        renamed_on_chat={"max_tokens": "max_completion_tokens"},
        efforts=tuple(efforts.split()) if efforts else None,
        input_window=windows[0] if windows else None,
        output_window=windows[1] if windows else None,
        note=note,
    )


_GPT5, _LARGE, _O = (272_000, 128_000), (922_000, 128_000), (200_000, 100_000)
_LOW, _MINIMAL, _NONE, _XHIGH = (
    "low medium high",
    "minimal low medium high",
    "none low medium high",
    "none low medium high xhigh",
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
    _thinks("gpt-5.1", _BOTH, _NONE, _GPT5, and_later=True, note="gpt-5.1 defaults to effort none"),
    _thinks("gpt-5.4", _BOTH, _XHIGH, _LARGE, source="pipecat#4043", date="2026", and_later=True, with_effort=False),
    _thinks("gpt-5.4-mini", _BOTH, _XHIGH, _GPT5, source="pipecat#4043", date="2026", with_effort=False),
    _thinks("gpt-5.4-nano", _BOTH, _XHIGH, _GPT5, source="pipecat#4043", date="2026", with_effort=False),
    _thinks(
        "gpt-5.6",
        _BOTH,
        _XHIGH,
        None,
        source="litellm#34569",
        date="2026",
        and_later=True,
        with_effort=False,
        without_effort=False,
    ),
    _thinks(
        "gpt-5.6-*",
        _BOTH,
        _XHIGH,
        None,
        source="litellm#34569, oh-my-pi#11052",
        date="2026",
        and_later=True,
        with_effort=False,
        without_effort=False,
        note="sol, terra, luna; gpt-6-astra",
    ),
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


def _parsed(row: Capability) -> ModelName:
    name = parse_name(row.family.removesuffix(f"-{ANY_VARIANT}"))
    if name is None:
        raise ValueError(f"capability family {row.family!r} is not a model name")
    return ModelName(name.series, name.version, ANY_VARIANT) if row.family.endswith(ANY_VARIANT) else name


_ROWS: tuple[tuple[ModelName, Capability], ...] = tuple((_parsed(row), row) for row in CAPABILITIES)


@lru_cache(maxsize=256)
def capability_of(base_model: str | None) -> Capability | None:
    """Return what is known of a model, or None where nothing is.

    ``base_model`` is the model's own name, with or without its snapshot date (``gpt-5-codex-2025-09-15``).  Families
    match by series, version and variant, never by substring.  A provider prefix (``azure/gpt-5``) is a gateway's
    routing string, not a model's name: it is not stripped, and nothing is known of it.
    """
    name = parse_name(base_model) if base_model else None
    if name is None:
        return None
    for variant in (name.variant, ANY_VARIANT):
        rows = [
            (family.version, row)
            for family, row in _ROWS
            if family.series == name.series
            and family.variant == variant
            and (family.version == name.version or (row.and_later and family.version < name.version))
        ]
        if rows:
            return max(rows, key=lambda found: found[0])[1]
    return None

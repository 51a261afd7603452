"""The rows of the table of dispatch: a request and an endpoint, and which API is asked by which rule.  Runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from chatsheet_llm.capabilities import Override
from chatsheet_llm.route import MODES, Mode

PLACES: Mapping[str, Mapping[str, object]] = {
    "litellm": {},
    "azure": {},
    "openai": {},
    "anthropic": {},
    "anthropic_foundry": {},
    "azure_dated": {"kind": "azure", "api_version": "2025-04-01-preview"},
    "azure_old": {"kind": "azure", "api_version": "2024-10-21"},
    "azure_responses": {"kind": "azure", "modes": ["responses"]},
    "litellm_chat": {"kind": "litellm", "modes": ["chat"]},
}
"""Name of an endpoint to its settings."""

ENTRIES: Mapping[str, Mapping[str, object]] = {
    "both": {"capabilities": Override(apis=frozenset({"chat", "responses"}))},
    "chat only": {"capabilities": Override(apis=frozenset({"chat"}))},
    "responses only": {"capabilities": Override(apis=frozenset({"responses"}))},
    "tools": {"capabilities": Override(tools_with_effort_on_chat=True, tools_without_effort_on_chat=True)},
    "no tools": {"capabilities": Override(tools_with_effort_on_chat=False, tools_without_effort_on_chat=False)},
    "thinks": {"reasoning_effort": "low"},
    "never thinks": {"reasoning_effort": "none"},
}
"""What else a model entry may say."""


class Row(NamedTuple):
    """One line of the table; ``mode`` and ``rule`` are the answer, without a mode that of a hop that is left out.

    ``base`` is what the model entry says the model is, ``name`` what the endpoint calls it, and the caller too where
    there is no entry.  ``overrides`` is where a mode is set (call, entry, hop), ``place`` one of `PLACES`, ``entries``
    are of `ENTRIES`.  ``lessons`` are what the endpoint has shown: a mode (or ``both``) and its fault, or ``is`` and a
    model.  The hop stands before one that takes every model, unless it is ``alone``: hints yield only there.
    """

    line: str
    caller: Mode
    base: str | None
    name: str
    tools: bool
    effort: str | None
    overrides: Mapping[str, Mode]
    place: str
    mode: Mode | None
    rule: str
    entries: tuple[str, ...]
    lessons: tuple[tuple[str, str], ...]
    alone: bool


def read(line: str) -> Row:
    """Return a line of the table as a row.  Two spaces or more part the cells, and ``-`` is nothing."""
    caller, base, name, tools, effort, overrides, place, mode, rule, *rest = re.split(r"\s{2,}", line)
    besides = rest[0].split(", ") if rest else []
    return Row(
        line=" ".join(line.split()),
        caller=_MODES[caller],
        base=_told(base),
        name=name,
        tools={"tools": True, "-": False}[tools],
        effort=_told(effort),
        overrides={key: _MODES[value] for key, value in _pairs((_told(overrides) or "").split())},
        place=place,
        mode=_MODES[mode] if mode != "-" else None,
        rule=rule,
        entries=tuple(word for word in besides if ":" not in word and word != "alone"),
        lessons=tuple(_pairs(word for word in besides if ":" in word)),
        alone="alone" in besides,
    )


_MODES: Mapping[str, Mode] = {mode: mode for mode in MODES}


def _told(cell: str) -> str | None:
    return None if cell == "-" else cell


def _pairs(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        key, value = word.split(":")
        yield key, value


# The columns: the caller's format, base_model, the deployment's name, tools, effort, where a mode is set, the endpoint;
# then the API that is asked (-: none) and the rule; then what the model entry or the endpoint has to say besides.
TABLE = """
# Responses only: a chat caller is served there, whatever the deployment is called
chat       -                         gpt-5-codex             -      -       -  azure        responses  capability
chat       gpt-5-codex               prod-7                  -      -       -  litellm      responses  capability
chat       -                         gpt-5-codex-2025-09-15  tools  low     -  openai       responses  capability
chat       gpt-5-codex-2025-09-15    prod-7                  -      -       -  azure_dated  responses  capability
responses  -                         gpt-5-codex             tools  medium  -  azure        responses  own format
chat       gpt-5.1-codex             coder                   tools  -       -  azure        responses  capability
chat       -                         gpt-5.1-codex           -      -       -  litellm      responses  capability
chat       -                         gpt-5.2-codex           -      -       -  azure        responses  capability
chat       -                         gpt-5.2-pro             -      -       -  azure        responses  capability
responses  gpt-5.2-pro               coder                   tools  high    -  litellm      responses  own format
chat       gpt-5.3-codex-2026-02-01  coder                   -      -       -  litellm      responses  capability
chat       -                         gpt-5.1-codex-mini      -      -       -  azure        responses  capability
chat       gpt-5.1-codex-mini        coder                   tools  none    -  litellm      responses  capability
chat       -                         gpt-5.1-codex-max       -      xhigh   -  azure        responses  capability
chat       gpt-5.1-codex-max         coder                   -      -       -  litellm      responses  capability
chat       -                         codex-mini              -      -       -  azure        responses  capability
chat       codex-mini-latest         coder                   -      -       -  litellm      responses  capability
chat       -                         gpt-5-pro               -      high    -  azure        responses  capability
chat       gpt-5-pro-2025-10-06      slow                    -      -       -  litellm      responses  capability
chat       -                         gpt-5.4-pro             tools  none    -  azure        responses  capability
chat       gpt-5.5-pro               slow                    -      -       -  litellm      responses  capability
chat       -                         o3-pro                  -      low     -  azure        responses  capability
chat       o3-pro-2025-06-10         slow                    -      -       -  litellm      responses  capability
chat       -                         o1-pro                  -      -       -  azure        responses  capability
chat       o1-pro                    slow                    tools  high    -  litellm      responses  capability
chat       -                         o3-deep-research        -      -       -  azure        responses  capability
chat       o3-deep-research          finder                  -      -       -  litellm      responses  capability
chat       -                         o4-mini-deep-research   -      -       -  azure        responses  capability
chat       o4-mini-deep-research     finder                  -      -       -  litellm      responses  capability
chat       -                         computer-use-preview    -      -       -  azure        responses  capability
chat       computer-use-preview      mouse                   tools  -       -  litellm      responses  capability
# Chat only: a Responses caller is served there
chat       -                 gpt-4                   tools  -    -  azure        chat  own format
chat       gpt-4             old                     tools  low  -  litellm      chat  own format
responses  -                 gpt-4-0613              -      -    -  azure        chat  capability
responses  gpt-4             old                     tools  -    -  litellm      chat  capability
chat       -                 gpt-4-32k               tools  -    -  litellm      chat  own format
chat       gpt-4-32k         old                     tools  low  -  azure        chat  own format
responses  -                 gpt-4-32k               -      -    -  azure        chat  capability
chat       -                 gpt-4-turbo             tools  -    -  azure        chat  own format
chat       gpt-4-turbo       old                     tools  low  -  litellm      chat  own format
responses  -                 gpt-4-turbo-2024-04-09  -      -    -  openai       chat  capability
chat       -                 gpt-35-turbo            tools  -    -  azure        chat  own format
chat       gpt-3.5-turbo     old                     tools  low  -  litellm      chat  own format
responses  -                 gpt-35-turbo-0613       -      -    -  azure_dated  chat  capability
chat       gpt-35-turbo-16k  old                     tools  -    -  azure        chat  own format
chat       -                 gpt-3.5-turbo-16k       tools  low  -  litellm      chat  own format
responses  -                 gpt-3.5-turbo-16k       -      -    -  litellm      chat  capability
# Both APIs: the caller's own format, with tools too
chat       -             gpt-5              -      -        -  litellm      chat       own format
chat       -             gpt-5-2025-08-07   tools  -        -  azure        chat       own format
chat       gpt-5         prod-7             tools  minimal  -  azure        chat       own format
responses  -             gpt-5              tools  low      -  azure        responses  own format
responses  gpt-5         prod-7             -      -        -  litellm      responses  own format
chat       -             gpt-5-mini         tools  -        -  azure        chat       own format
chat       gpt-5-mini    prod-7             tools  low      -  litellm      chat       own format
responses  -             gpt-5-mini         -      -        -  azure        responses  own format
chat       -             gpt-5-nano         tools  -        -  litellm      chat       own format
chat       gpt-5-nano    prod-7             tools  minimal  -  azure        chat       own format
responses  -             gpt-5-nano         -      -        -  azure_dated  responses  own format
chat       -             gpt-5.1            tools  -        -  azure        chat       own format
chat       gpt-5.1       prod-7             tools  low      -  litellm      chat       own format
chat       -             gpt-5.2            tools  high     -  openai       chat       own format
chat       gpt-5.2       prod-7             tools  -        -  azure        chat       own format
chat       -             gpt-5.3            tools  xhigh    -  litellm      chat       own format
responses  -             gpt-5.2            tools  low      -  azure        responses  own format
responses  -             gpt-5.1            tools  none     -  azure        responses  own format
chat       -             o1                 tools  -        -  azure        chat       own format
chat       o1            thinker            tools  low      -  litellm      chat       own format
responses  -             o1-2024-12-17      -      -        -  azure        responses  own format
chat       -             o3                 tools  -        -  litellm      chat       own format
chat       o3            thinker            tools  high     -  azure        chat       own format
responses  -             o3                 -      -        -  litellm      responses  own format
chat       -             o3-mini            tools  -        -  azure        chat       own format
chat       o3-mini       thinker            tools  low      -  litellm      chat       own format
responses  -             o3-mini            -      -        -  azure        responses  own format
chat       -             o4-mini            tools  -        -  azure        chat       own format
chat       o4-mini       thinker            tools  medium   -  litellm      chat       own format
responses  -             o4-mini            -      -        -  openai       responses  own format
chat       -             gpt-5-chat         tools  -        -  azure        chat       own format
chat       gpt-5.2-chat  talker             tools  low      -  litellm      chat       own format
responses  -             gpt-5-chat-latest  -      -        -  azure        responses  own format
chat       -             gpt-chat-latest    tools  -        -  azure        chat       own format
chat       gpt-chat      talker             tools  low      -  litellm      chat       own format
responses  -             gpt-chat           -      -        -  azure        responses  own format
chat       -             gpt-4o             tools  -        -  azure        chat       own format
chat       gpt-4o        prod-7             tools  low      -  litellm      chat       own format
responses  -             gpt-4o-2024-08-06  -      -        -  azure        responses  own format
chat       -             gpt-4o-mini        tools  -        -  azure        chat       own format
chat       gpt-4o-mini   prod-7             tools  low      -  litellm      chat       own format
responses  -             gpt-4o-mini        -      -        -  litellm      responses  own format
chat       -             gpt-4.1            tools  -        -  azure        chat       own format
chat       gpt-4.1       prod-7             tools  low      -  litellm      chat       own format
responses  -             gpt-4.1            -      -        -  azure        responses  own format
chat       -             gpt-4.1-mini       tools  -        -  litellm      chat       own format
chat       gpt-4.1-mini  prod-7             tools  low      -  azure        chat       own format
responses  -             gpt-4.1-mini       -      -        -  azure        responses  own format
chat       -             gpt-4.1-nano       tools  -        -  azure        chat       own format
chat       gpt-4.1-nano  prod-7             tools  low      -  litellm      chat       own format
responses  -             gpt-4.1-nano       -      -        -  azure        responses  own format
# Tools beside an effort, since 5.4 through Responses alone
chat       -                   gpt-5.4       tools  low     -  azure        responses  tools
chat       -                   gpt-5.4       tools  low     -  litellm      responses  tools
chat       -                   gpt-5.4       tools  low     -  openai       responses  tools
chat       gpt-5.4             prod-7        tools  xhigh   -  azure_dated  responses  tools
chat       gpt-5.4-2026-03-05  prod-7        tools  high    -  litellm      responses  tools
chat       -                   gpt-5.4       tools  -       -  azure        chat       own format
chat       -                   gpt-5.4       tools  -       -  litellm      chat       own format
chat       -                   gpt-5.4       tools  none    -  azure        chat       own format
chat       -                   gpt-5.4       tools  none    -  litellm      chat       own format
chat       -                   gpt-5.4       -      low     -  azure        chat       own format
chat       -                   gpt-5.4       -      low     -  litellm      chat       own format
chat       -                   gpt-5.4       -      -       -  azure        chat       own format
responses  -                   gpt-5.4       tools  low     -  azure        responses  own format
responses  -                   gpt-5.4       tools  low     -  litellm      responses  own format
chat       -                   gpt-5.4-mini  tools  low     -  azure        responses  tools
chat       gpt-5.4-mini        prod-7        tools  -       -  litellm      chat       own format
responses  -                   gpt-5.4-mini  -      -       -  azure        responses  own format
chat       gpt-5.4-nano        prod-7        tools  medium  -  litellm      responses  tools
chat       -                   gpt-5.4-nano  tools  -       -  azure        chat       own format
responses  -                   gpt-5.4-nano  -      -       -  azure        responses  own format
chat       -                   gpt-5.5       tools  low     -  azure        responses  tools
chat       gpt-5.5             prod-7        tools  low     -  litellm      responses  tools
chat       -                   gpt-5.5       tools  -       -  azure        chat       own format
chat       -                   gpt-5.5       tools  none    -  litellm      chat       own format
chat       -                   gpt-5.5       -      xhigh   -  azure        chat       own format
# Tools without an effort too, since 5.6
chat       -              gpt-5.6       tools  low   -  azure    responses  tools
chat       -              gpt-5.6       tools  low   -  litellm  responses  tools
chat       -              gpt-5.6       tools  -     -  azure    responses  tools
chat       gpt-5.6        prod-7        tools  -     -  litellm  responses  tools
chat       -              gpt-5.6       tools  none  -  azure    chat       own format
chat       -              gpt-5.6       tools  none  -  litellm  chat       own format
chat       -              gpt-5.6       -      low   -  azure    chat       own format
chat       -              gpt-5.6       -      -     -  litellm  chat       own format
responses  -              gpt-5.6       tools  -     -  azure    responses  own format
chat       -              gpt-5.6-sol   tools  -     -  azure    responses  tools
chat       gpt-5.6-sol    prod-7        tools  low   -  litellm  responses  tools
chat       -              gpt-5.6-mini  tools  -     -  azure    responses  tools
chat       gpt-5.6-mini   prod-7        tools  low   -  litellm  responses  tools
chat       gpt-5.6-mini   prod-7        tools  none  -  azure    chat       own format
responses  -              gpt-5.6-mini  tools  low   -  litellm  responses  own format
chat       -              gpt-5.6-nano  tools  -     -  azure    responses  tools
chat       gpt-5.6-nano   prod-7        tools  low   -  litellm  responses  tools
chat       gpt-5.6-nano   prod-7        tools  none  -  azure    chat       own format
responses  -              gpt-5.6-nano  tools  low   -  litellm  responses  own format
chat       gpt-5.6-terra  prod-7        tools  low   -  litellm  responses  tools
chat       -              gpt-5.6-terra  tools  -     -  azure    responses  tools
chat       gpt-5.6-luna   prod-7        tools  low   -  azure    responses  tools
chat       -              gpt-5.6-luna  tools  -     -  litellm  responses  tools
chat       -              gpt-5.6-prod  tools  low   -  azure    chat       own format
chat       -              gpt-6-mini    tools  low   -  litellm  responses  tools
chat       -              gpt-6-mini    -      low   -  azure    chat       own format
chat       -              gpt-5.6-luna  -      low   -  azure    chat       own format
responses  -              gpt-5.6-luna  tools  low   -  litellm  responses  own format
chat       -              gpt-6         tools  low   -  azure    responses  tools
chat       -              gpt-6         tools  -     -  litellm  responses  tools
chat       -              gpt-6         tools  none  -  azure    chat       own format
chat       -              gpt-6         -      -     -  litellm  chat       own format
chat       -              gpt-6-astra   tools  -     -  azure    responses  tools
chat       gpt-6-astra    prod-7        tools  low   -  litellm  responses  tools
chat       gpt-6-astra    prod-7        tools  none  -  azure    chat       own format
# A name that only contains a model's says nothing, and base_model says more than any name
chat       -            my-gpt-5-codex-prod        -      -     -  azure    chat       own format
chat       -            gpt-5-codex-prod           -      -     -  litellm  chat       own format
chat       -            prod-gpt-5.6               tools  low   -  azure    chat       own format
chat       -            gpt-5.4_tools              tools  high  -  azure    chat       own format
responses  -            prod-gpt-4                 -      -     -  azure    responses  own format
responses  -            gpt-4-prod                 -      -     -  litellm  responses  own format
chat       -            azure/gpt-5-codex          -      -     -  litellm  chat       own format
chat       -            azure/responses/gpt-5-pro  -      -     -  litellm  chat       own format
responses  -            openai/gpt-4               -      -     -  litellm  responses  own format
chat       -            my-claude-sonnet-4-5       -      -     -  azure    chat       own format
chat       -            prod-7                     tools  low   -  azure    chat       own format
responses  -            prod-7                     tools  low   -  azure    responses  own format
chat       -            mistral-large              tools  -     -  litellm  chat       own format
responses  -            gpt-oss-120b               -      -     -  openai   responses  own format
chat       house-model  gpt-oss-120b               tools  low   -  azure    chat       own format
chat       gpt-4.1      gpt-5-codex                -      -     -  azure    chat       own format
chat       gpt-5-codex  gpt-4                      -      -     -  azure    responses  capability
responses  gpt-5        gpt-4                      -      -     -  litellm  responses  own format
chat       gpt-5.6      gpt-4.1                    tools  -     -  azure    responses  tools
# An explicit mode
chat       -            gpt-5        -      -     call:chat                  azure    chat       call mode
chat       -            gpt-5        -      -     call:responses             azure    responses  call mode
responses  -            gpt-5        tools  low   call:chat                  litellm  chat       call mode
chat       -            prod-7       -      -     call:responses             litellm  responses  call mode
chat       -            gpt-5.4      tools  -     call:chat                  azure    chat       call mode
chat       -            gpt-5.4      tools  low   call:chat                  azure    -          mode
chat       -            gpt-5.4      tools  none  call:chat                  litellm  chat       call mode
chat       -            gpt-5-codex  -      -     call:chat                  azure    -          mode
responses  -            gpt-4        -      -     call:responses             litellm  -          mode
chat       gpt-5        prod-7       -      -     entry:chat                 litellm  chat       model mode
responses  gpt-5        prod-7       tools  low   entry:chat                 azure    chat       model mode
chat       gpt-5        prod-7       -      -     entry:responses            azure    responses  model mode
chat       -            prod-7       tools  low   entry:responses            litellm  responses  model mode
chat       gpt-5.6      prod-7       tools  -     entry:chat                 azure    -          mode
chat       gpt-5.6      prod-7       tools  none  entry:chat                 azure    chat       model mode
chat       gpt-5-codex  prod-7       -      -     entry:chat                 litellm  -          mode
chat       gpt-5-codex  prod-7       -      -     entry:chat                 azure    chat       model mode  both
responses  gpt-5-codex  prod-7       -      -     entry:chat                 litellm  chat       model mode  both
chat       gpt-5        prod-7       -      -     call:responses entry:chat  azure    responses  call mode
chat       gpt-5        prod-7       -      -     call:chat hop:responses    azure    -          call mode
chat       gpt-5        prod-7       -      -     entry:chat hop:responses   azure    -          model mode
chat       gpt-5        prod-7       -      -     call:chat hop:chat         azure    chat       call mode
chat       -            gpt-5        -      -     hop:responses              azure    responses  hop mode
responses  -            gpt-5        tools  low   hop:chat                   azure    chat       hop mode
chat       -            gpt-5        -      -     hop:responses              litellm  responses  hop mode
chat       -            prod-7       -      -     hop:chat                   azure    chat       hop mode
responses  -            prod-7       -      -     hop:responses              azure    responses  hop mode
chat       -            gpt-5-codex  -      -     hop:chat                   azure    -          capability
chat       gpt-5-codex  prod-7       -      -     hop:chat                   azure    -          mode        alone
responses  -            gpt-4        -      -     hop:responses              azure    -          capability
responses  gpt-4        prod-7       -      -     hop:responses              azure    -          mode        alone
chat       -            gpt-5.4      tools  low   hop:chat                   azure    -          tools
chat       gpt-5.4      prod-7       tools  low   hop:chat                   azure    chat       hop mode    alone
chat       -            gpt-5.4      tools  low   hop:responses              azure    responses  hop mode
chat       -            gpt-5.6      tools  -     hop:chat                   litellm  -          tools
chat       -            gpt-5.6      tools  none  hop:chat                   azure    chat       hop mode
# What a model entry knows better than the table
chat       gpt-5-codex  prod-7  -      -     -           azure    chat       own format  both
responses  gpt-4        prod-7  -      -     -           litellm  responses  own format  both
chat       gpt-5        prod-7  -      -     -           azure    responses  capability  responses only
responses  gpt-5        prod-7  -      -     -           litellm  chat       capability  chat only
chat       -            prod-7  -      -     -           azure    responses  capability  responses only
responses  house-model  prod-7  -      -     -           azure    chat       capability  chat only
chat       gpt-5        prod-7  tools  -     -           azure    responses  tools       no tools
chat       gpt-5        prod-7  tools  none  -           azure    chat       own format  no tools
chat       -            prod-7  tools  low   -           azure    responses  tools       no tools
chat       gpt-5.6      prod-7  tools  low   -           litellm  chat       own format  tools
chat       gpt-5.6      prod-7  tools  -     entry:chat  azure    chat       model mode  tools
chat       gpt-5.4      prod-7  tools  -     -           azure    responses  tools       thinks
chat       gpt-5.4      prod-7  tools  none  -           azure    chat       own format  thinks
chat       gpt-5.6      prod-7  tools  -     -           azure    chat       own format  never thinks
# What an endpoint has shown of the deployment
chat       gpt-5        prod-7   -      -     -           azure    responses  learned     chat:capability
chat       -            prod-7   -      -     -           azure    responses  learned     chat:capability
responses  -            prod-7   -      -     -           litellm  chat       learned     responses:capability
responses  gpt-5        prod-7   -      -     -           azure    chat       learned     responses:deployment
responses  gpt-5        prod-7   -      -     -           azure    responses  own format  chat:capability
chat       -            gpt-5    tools  low   -           azure    responses  learned     chat:tools_on_chat
chat       -            gpt-5    tools  -     -           azure    responses  learned     chat:tools_on_chat
chat       -            gpt-5.1  tools  none  -           azure    chat       own format  chat:tools_on_chat
chat       -            gpt-5    -      low   -           azure    chat       own format  chat:tools_on_chat
chat       -            gpt-5    -      -     -           azure    chat       own format  chat:streaming
chat       gpt-5-codex  prod-7   -      -     -           azure    responses  learned     both, chat:capability
chat       -            prod-7   -      -     hop:chat    azure    -          learned     chat:capability
chat       -            prod-7   -      -     hop:chat    azure    -          mode        chat:capability, alone
chat       -            prod-7   -      -     hop:chat    azure    -          learned     chat:deployment
chat       -            prod-7   -      -     hop:chat    azure    chat       hop mode    chat:deployment, alone
chat       -            prod-7   -      -     call:chat   azure    -          mode        chat:capability
chat       -            prod-7   -      -     call:chat   azure    chat       call mode   chat:deployment
chat       gpt-5        prod-7   -      -     entry:chat  azure    -          mode        chat:capability
chat       gpt-5        prod-7   -      -     entry:chat  azure    chat       model mode  chat:streaming
chat       -            prod-7   -      -     -           azure    -          learned     both:capability
chat       -            prod-7   -      -     -           azure    chat       endpoint    both:capability, alone
chat       gpt-5-codex  prod-7   -      -     -           azure    -          capability  responses:capability
chat       -            prod-7   -      -     -           azure    responses  capability  is:gpt-5-codex
chat       -            prod-7   -      -     -           litellm  responses  capability  is:gpt-5-codex-2025-09-15
chat       -            prod-7   tools  low   -           azure    responses  tools       is:gpt-5.4
chat       -            prod-7   tools  -     -           azure    responses  tools       is:gpt-6-astra
responses  -            prod-7   -      -     -           azure    chat       capability  is:gpt-4
chat       -            gpt-5    -      -     -           azure    responses  capability  is:gpt-5-codex
chat       gpt-4.1      prod-7   -      -     -           azure    chat       own format  is:gpt-5-codex
chat       -            prod-7   -      -     -           azure    -          capability  is:claude-sonnet-4-5
# Claude: not on Azure OpenAI, and on a gateway as the caller speaks
chat       -                  claude-sonnet-4-5  -      -    -              azure    -          capability
responses  claude-opus-4-6    prod-7             -      -    -              azure    -          capability
chat       claude-opus-4-6    prod-7             tools  low  hop:chat       azure    -          capability
chat       claude-opus-4-6    prod-7             -      -    -              azure    chat       endpoint    alone
chat       -                  claude-opus-4-6    -      -    call:chat      azure    -          mode
chat       gpt-5              claude-opus-4-6    -      -    -              azure    -          capability
chat       claude-opus-4-6    prod-7             -      -    -              azure    chat       own format  chat only
chat       -                  claude-sonnet-4-5  tools  low  -              litellm  chat       own format
chat       claude-sonnet-4-5  prod-7             tools  -    -              litellm  chat       own format
responses  -                  claude-sonnet-4-5  -      -    -              litellm  responses  own format
chat       -                  claude-sonnet-4-5  -      -    hop:responses  litellm  responses  hop mode
chat       gpt-5              claude-opus-4-6    -      -    -              litellm  chat       own format
chat       -                  claude-sonnet-4-5  -      -    -              openai   chat       own format
chat       -                  claude-sonnet-4-5  -      -    call:messages  litellm  -          mode
# Endpoints that speak Messages alone
chat       -                  claude-sonnet-4-5  -      -        -               anthropic          messages  endpoint
responses  -                  claude-opus-4-6    tools  low      -               anthropic          messages  endpoint
chat       claude-opus-4-6    prod-7             tools  high     -               anthropic_foundry  messages  endpoint
responses  claude-sonnet-4-5  prod-7             -      -        -               anthropic_foundry  messages  endpoint
chat       -                  claude-sonnet-4-5  -      -        hop:messages    anthropic          messages  hop mode
chat       -                  claude-sonnet-4-5  -      -        call:messages   anthropic          messages  call mode
chat       claude-sonnet-4-5  prod-7             -      -        entry:messages  anthropic_foundry  messages  model mode
chat       -                  claude-sonnet-4-5  -      -        call:chat       anthropic          -         mode
chat       gpt-5              claude-opus-4-6    -      -        -               anthropic          messages  endpoint
chat       gpt-5-codex        prod-7             -      -        -               anthropic_foundry  messages  endpoint
chat       -                  prod-7             tools  -        -               anthropic          messages  endpoint
chat       -                  claude-sonnet-4-5  -      minimal  -               anthropic          -         loss
# An endpoint that does not speak the caller's own format, or only in part
chat       -            gpt-5        -      -     -                azure_responses  responses  endpoint
chat       gpt-5.4      prod-7       tools  low   -                azure_responses  responses  endpoint
responses  -            gpt-5        -      -     -                litellm_chat     chat       endpoint
responses  -            prod-7       tools  low   -                litellm_chat     chat       endpoint
chat       -            gpt-5-codex  -      -     -                litellm_chat     -          capability
chat       gpt-5-codex  prod-7       -      -     -                litellm_chat     chat       endpoint    alone
chat       -            gpt-5.6      tools  -     -                litellm_chat     -          tools
responses  -            gpt-5.6      tools  none  -                litellm_chat     chat       endpoint
responses  -            gpt-5.6      tools  low   -                litellm_chat     -          tools
chat       -            gpt-4        -      -     -                azure_responses  -          capability
chat       -            gpt-5        -      -     call:chat        azure_responses  -          mode
responses  gpt-5        prod-7       -      -     entry:responses  litellm_chat     -          mode
chat       -            gpt-5        -      -     -                azure_old        chat       own format
chat       -            gpt-5-codex  -      -     -                azure_old        -          path
chat       gpt-5.4      prod-7       tools  low   -                azure_old        -          path
chat       -            gpt-5        -      -     hop:responses    azure_old        -          path
responses  -            gpt-4        -      -     -                azure_old        chat       capability
responses  -            gpt-5        -      -     -                azure_old        chat       endpoint
responses  -            gpt-5        -      -     hop:chat         azure_old        chat       hop mode
responses  -            gpt-5        -      -     -                azure_dated      responses  own format
# A wish that no API of the model grants changes nothing about the choice
chat  -  gpt-5.4      tools  minimal  -  azure    responses  tools
chat  -  gpt-5-codex  -      minimal  -  litellm  responses  capability
"""

ROWS: tuple[Row, ...] = tuple(read(line) for line in TABLE.strip().splitlines() if not line.startswith("#"))

"""Say of which requests it is certain, without bridging them, that a hop can serve them.  Makes no hop; never guesses.

The plan asks whether another hop could still answer.  To bridge a conversation for that would cost more than the call,
and most requests are a few parameters beside messages of plain words, which every bridge carries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from chatsheet_llm.capabilities import Capability
from chatsheet_llm.formats.tables import LEAST_TOKENS
from chatsheet_llm.hops import Call
from chatsheet_llm.outlook import Outlook
from chatsheet_llm.route import Mode

Judge = Callable[[object], bool]


def portable(call: Call, look: Outlook) -> bool:
    """Whether a hop that the rules leave in can serve a request that holds no state.  False says nothing."""
    hop, known, body = look.hop, look.known, call.body
    if hop is None or known is None or hop.mode is None or call.format is None or body is None:
        return False
    row = known.capability if hop.mode != "messages" else None
    if hop.mode == call.format:
        # It goes as it is; only its model may refuse some of it.
        return look.telling.isdisjoint(body)
    judges = CARRIED.get((call.format, hop.mode))
    if judges is None or (row is not None and not _taken(body, row)):
        return False
    if "max_tokens" in body and "max_completion_tokens" in body:
        return False
    return all((judge := judges.get(name)) is not None and judge(value) for name, value in body.items())


def _taken(body: Mapping[str, object], row: Capability) -> bool:
    """Whether it is certain that a model refuses no parameter, under whatever name it is sent."""
    refused = row.refused | row.refused_on_chat
    return not any(
        name in refused or _SENT_AS.get(name) in refused or name in _EFFORTS or name in row.renamed_on_chat
        for name in body
    )


_EFFORTS = ("reasoning_effort", "reasoning")
_SENT_AS: Mapping[str, str] = MappingProxyType(
    {
        "max_tokens": "max_output_tokens",
        "max_completion_tokens": "max_output_tokens",
        "max_output_tokens": "max_completion_tokens",
    }
)


def _words(value: object) -> bool:
    """Messages of plain words, the last of them the user's.  All are asked at once: there may be hundreds."""
    if type(value) is not list or not value:
        return False
    try:
        said = [message["content"] for message in value]
        fields = set().union(*value)
        roles = {message["role"] for message in value}
    except (TypeError, KeyError):
        return False
    told = fields <= _FIELDS and roles <= _ROLES and {each.__class__ for each in said} == {str} and all(said)
    return told and value[-1]["role"] == "user"


_FIELDS = frozenset({"role", "content"})
_ROLES = frozenset({"system", "developer", "user", "assistant"})


def _text(value: object) -> bool:
    return type(value) is str and value != ""


def _flag(value: object) -> bool:
    return type(value) is bool


def _limit(value: object) -> bool:
    return type(value) is int and value >= LEAST_TOKENS


def _share(value: object) -> bool:
    return type(value) in (int, float)


_FROM_CHAT: Mapping[str, Judge] = {
    "messages": _words,
    "model": _text,
    "stream": _flag,
    "max_tokens": _limit,
    "max_completion_tokens": _limit,
}
_FROM_RESPONSES: Mapping[str, Judge] = {
    "input": lambda value: _text(value) or _words(value),
    "instructions": _text,
    "model": _text,
    "stream": _flag,
    "max_output_tokens": _limit,
}
_SAMPLED: Mapping[str, Judge] = {"temperature": _share, "top_p": _share}

CARRIED: Mapping[tuple[Mode, Mode], Mapping[str, Judge]] = MappingProxyType(
    {
        ("chat", "responses"): {**_FROM_CHAT, **_SAMPLED},
        ("chat", "messages"): _FROM_CHAT,
        ("responses", "chat"): {**_FROM_RESPONSES, **_SAMPLED},
        ("responses", "messages"): _FROM_RESPONSES,
    }
)
"""(Caller's format, hop's format) to the parameters that are always carried, and the values of which that is true."""

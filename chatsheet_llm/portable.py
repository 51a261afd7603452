"""Say of which requests it is certain, without bridging them, that a hop can serve them.  Makes no hop; never guesses.

The plan asks whether another hop could still answer.  To bridge a conversation for that would cost more than the call,
and most requests are a few parameters beside messages of plain words, which every bridge carries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from chatsheet_llm.capabilities import Capability
from chatsheet_llm.formats.tables import LEAST_TOKENS
from chatsheet_llm.route import Mode

Judge = Callable[[object], bool]


def carried(own: Mode, mode: Mode, row: Capability | None) -> Mapping[str, Judge]:
    """Return the parameters of a caller's format that a hop of another is certain to serve, each with what tells so.

    ``row`` is what is known of the model: a parameter that it may refuse, under whatever name it is sent, is none.
    """
    judges = CARRIED.get((own, mode), {})
    if row is None or mode == "messages":
        return judges
    refused = row.refused | row.refused_on_chat
    doubted = refused | _EFFORTS | row.renamed_on_chat.keys()
    return {name: judge for name, judge in judges.items() if not {name, _SENT_AS.get(name)} & doubted}


def portable(body: Mapping[str, object], judges: Mapping[str, Judge]) -> bool:
    """Whether a hop is certain to serve a request that holds no state, by what :func:`carried` says of it."""
    if "max_tokens" in body and "max_completion_tokens" in body:
        return False
    for name in body:
        judge = judges.get(name)
        if judge is None or not judge(body[name]):
            return False
    return bool(judges)


_EFFORTS = frozenset({"reasoning_effort", "reasoning"})
_SENT_AS: Mapping[str, str] = MappingProxyType(
    {
        "max_tokens": "max_output_tokens",
        "max_completion_tokens": "max_output_tokens",
        "max_output_tokens": "max_completion_tokens",
    }
)


def _words(value: object) -> bool:
    """Messages of plain words, the last of them the user's."""
    if type(value) is not list or not value:
        return False
    try:
        for message in value:
            said = message["content"]
            if type(said) is not str or not said or message["role"] not in _ROLES or len(message) != 2:
                return False
    except (TypeError, KeyError):
        return False
    return bool(value[-1]["role"] == "user")


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

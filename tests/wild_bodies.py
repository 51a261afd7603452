"""Random requests and replies with anything in them: what only one format has, among what all of them have."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import wild_chat
import wild_messages
import wild_responses
from conversations import Json, conversations, fitted, names, texts, written
from hypothesis import strategies as st
from random_answers import answered, answers, said_by

from chatsheet_llm.route import Mode

_WILD = {
    "chat": (wild_chat.EXTRAS, wild_chat.ODD, "messages"),
    "responses": (wild_responses.EXTRAS, wild_responses.ODD, "input"),
    "messages": (wild_messages.EXTRAS, wild_messages.ODD, "messages"),
}


_ONE_WAY: Mapping[Mode, tuple[str, ...]] = {
    "chat": ("functions", "function_call"),
    "responses": (),
    # The SDK has dropped them, so they are not written to Messages; other formats are told.
    "messages": ("temperature", "top_p"),
}
"""Parameters that go out and do not come back."""
_ONE_WAY_ODD: Mapping[Mode, st.SearchStrategy[list[Json]]] = {
    "chat": wild_chat.ONE_WAY,
    "responses": wild_responses.ONE_WAY,
}


def _may_break(before: Json, turn: Json) -> bool:
    asked = turn.get("role") == "user" and not _has_result(turn)
    return asked and not _has_result(before)


def _has_result(turn: Json) -> bool:
    content = turn.get("content")
    found = any(part.get("type") == "tool_result" for part in content) if isinstance(content, list) else False
    return found or turn.get("role") == "tool" or turn.get("type") == "function_call_output"


@st.composite
def bodies(draw: st.DrawFn, mode: Mode, *, comes_back: bool = False) -> Json:
    """A request of a format: a conversation, with what no other format has among and beside it.

    One that comes back has nothing in it that a chat caller may say and that is written anew for a chat hop.
    """
    extras, odd, field = _WILD[mode]
    if not comes_back and mode in _ONE_WAY_ODD:
        odd = st.one_of(odd, _ONE_WAY_ODD[mode])
    body = written(mode, fitted(draw(conversations), mode, hop=comes_back))
    turns = body[field]
    for number, group in enumerate(draw(st.lists(odd, max_size=2))):
        # Before a turn of the user, so that results stay behind their calls; behind one, so that turns stay apart.
        places = [at for at in range(1, len(turns)) if _may_break(turns[at - 1], turns[at])]
        if not places:
            break
        at = draw(st.sampled_from(places))
        turns[at:at] = [{"role": "user", "content": f"ask {number}"}, *copy.deepcopy(group)]
    body |= copy.deepcopy(draw(extras))
    if not body.get("tools"):
        body.pop("tool_choice", None)
    if comes_back:
        for name in _ONE_WAY[mode]:
            body.pop(name, None)
    return body


@st.composite
def replies(draw: st.DrawFn, mode: Mode) -> Json:
    """A reply of a format: an answer, with what no other format has among and beside it."""
    reply = copy.deepcopy(answered(mode, said_by(draw(answers), mode)))
    if mode == "chat":
        choice = reply["choices"][0]
        choice["message"] |= copy.deepcopy(draw(wild_chat.MORE_IN_MESSAGE))
        if draw(st.booleans()):
            choice["content_filter_results"] = {"hate": {"filtered": False, "severity": draw(names)}}
        if draw(st.booleans()):
            reply["choices"].append(
                {**copy.deepcopy(choice), "index": 1, "message": {"role": "assistant", "content": draw(texts)}}
            )
        return reply | draw(wild_chat.MORE)
    field, odd, more = (
        ("output", wild_responses.MORE_ITEMS, wild_responses.MORE)
        if mode == "responses"
        else ("content", wild_messages.MORE_BLOCKS, wild_messages.MORE)
    )
    for made in draw(st.lists(odd, max_size=3)):
        reply[field].insert(draw(st.integers(0, len(reply[field]))), copy.deepcopy(made))
    return reply | draw(more)

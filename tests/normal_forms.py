"""Which bodies of a format mean the same, so that one can stand for all: every row applied.  Knows no bridge."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from alike import Json, Row
from normal_chat import CHAT
from normal_messages import MESSAGES
from normal_replies import REPLIES
from normal_responses import RESPONSES

from chatsheet_llm.route import MODES, Mode

REQUESTS: Sequence[Row] = (*CHAT, *RESPONSES, *MESSAGES)


def normal(mode: Mode, body: Json, through: Mode, rows: Sequence[Row] = REQUESTS) -> Json:
    """The body as all bodies are written that mean the same to a format and to the other one it goes through."""
    made = copy.deepcopy(body)
    for row in rows:
        if row.mode == mode and through in row.through:
            row.alike(made)
    return made


def normal_reply(mode: Mode, reply: Json, through: Mode | None = None, rows: Sequence[Row] = REPLIES) -> Json:
    """The reply as all replies are written that say the same; ``through`` is None for one that came directly."""
    made = copy.deepcopy(reply)
    for row in rows:
        if row.mode == mode and (row.through == MODES if through is None else through in row.through):
            row.alike(made)
    return made

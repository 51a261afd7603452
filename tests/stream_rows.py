"""How a stream may fold to another reply than its whole: one row for each difference.  Knows no bridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alike import Alike, Json, inner, objects, spaced

from chatsheet_llm.route import MODES, Loss, Mode


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A difference between a folded stream and the whole reply, which is nobody's fault.

    ``records`` are the only recordings that it is about, where it is not about all; ``loss`` is how the reason of the
    loss begins that tells it.
    """

    hop: Mode
    reason: str
    alike: Alike
    callers: Sequence[Mode] = MODES
    records: Sequence[str] = ()
    loss: str | None = None

    def is_about(self, hop: Mode, caller: Mode, record: str) -> bool:
        """Whether it tells of this recorded stream as this caller sees it."""
        return hop == self.hop and caller in self.callers and (not self.records or record in self.records)

    def tells(self, loss: Loss) -> bool:
        """Whether a stream may list this loss where its whole does not."""
        return self.loss is not None and loss.reason.startswith(self.loss)


def _in_any_order(reply: Json) -> None:
    for name in ("output", "content"):
        if name in reply:
            entries = [entry for entry in objects(reply, name) if _says(entry)]
            reply[name] = sorted(entries, key=lambda entry: (_says(entry), str(entry)))


def _says(entry: Json) -> str:
    return str(entry["type"])


def _plain_seals(reply: Json) -> None:
    for block in objects(reply, "content"):
        inner(block, "signature").pop("encrypted_content", None)


def _rounded(reply: Json) -> None:
    for token in objects(inner(reply["choices"][0], "logprobs"), "content"):
        token["logprob"] = round(token["logprob"], 5)


def _plain_arguments(reply: Json) -> None:
    for choice in objects(reply, "choices"):
        for call in objects(choice["message"], "tool_calls"):
            call["function"]["arguments"] = spaced(call["function"]["arguments"])
    for item in objects(reply, "output"):
        if "arguments" in item:
            item["arguments"] = spaced(item["arguments"])


STREAM_ROWS = (
    StreamRow(
        "chat",
        "Kimi writes a text behind its calls: the stream keeps that order, and a whole reply of Chat tells none",
        _in_any_order,
        ("responses", "messages"),
        ("azure-chat-01666610fe26764e", "azure-chat-ec664ab8e5a89606"),
    ),
    StreamRow(
        "responses",
        "OpenAI tells probabilities more exactly in its deltas than in its last event",
        _rounded,
        ("chat",),
        ("openai-responses-1907e63fb673a5f8",),
    ),
    StreamRow(
        "responses",
        "reasoning may be sealed anew in the last event, when its block was sent: the first seal stays, a listed loss",
        _plain_seals,
        ("messages",),
        loss="sealed anew in the last event",
    ),
    StreamRow(
        "messages",
        "the arguments of a call stream as text, and are a value in a whole reply: its white space is its own",
        _plain_arguments,
        ("chat", "responses"),
    ),
)


@dataclass(frozen=True, slots=True)
class Unread:
    """A recorded stream that its own SDK cannot accumulate, or not to its end."""

    record: str
    reason: str


UNREAD = (
    Unread("azure-chat-b47b02105a72b16e", "a choice without a delta"),
    Unread("litellm-b2bc69a350aedabd", "the usage comes before the last chunk with a choice"),
    Unread("openai-chat-e37024eaa25eeb84", "the usage comes before the last chunk with a choice"),
    Unread("openai-responses-e8cd8182faf1f98d", "it begins with response.queued"),
)

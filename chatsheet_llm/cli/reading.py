"""Read an answer, whole or piece by piece, whatever a provider leaves out of its chunks.  Prints nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

_NOTES = {
    "length": "the answer was cut off: the limit of output tokens was reached",
    "content_filter": "the answer was cut off by the content filter",
}
"""By finish reason, where the answer is not what it could be."""


@dataclass(slots=True)
class Reading:
    """What has been read of one answer: text (a refusal's words included), and how it ended."""

    pieces: list[str] = field(default_factory=list)
    refused: bool = False
    finish_reason: str | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)

    @property
    def remarks(self) -> list[str]:
        """What the reader should know about the answer."""
        made = ["the model refused"] if self.refused else []
        if self.finish_reason in _NOTES:
            made.append(_NOTES[self.finish_reason])
        if not self.pieces:
            made.append(f"the answer holds no text (finish_reason {self.finish_reason!r})")
        return made

    def take(self, chunk: ChatCompletionChunk) -> str:
        """Take the next chunk of a stream and return its text.  Azure sends some without choices or without delta."""
        made = ""
        for choice in chunk.choices or ():
            if choice.finish_reason is not None:
                self.finish_reason = choice.finish_reason
            if choice.delta is not None:
                made += self._said(choice.delta.content, choice.delta.refusal)
        return made

    def anew(self) -> None:
        """Forget what was read: the answer begins again, from another hop."""
        self.pieces.clear()
        self.refused, self.finish_reason = False, None

    def take_whole(self, completion: ChatCompletion) -> str:
        """Take an answer that was not streamed and return its text."""
        made = ""
        for choice in (completion.choices or ())[:1]:
            self.finish_reason = choice.finish_reason
            made = self._said(choice.message.content, choice.message.refusal)
        return made

    def _said(self, content: str | None, refusal: str | None) -> str:
        self.refused = self.refused or bool(refusal)
        made = (content or "") + (refusal or "")
        if made:
            self.pieces.append(made)
        return made

"""``chat``: a conversation in the terminal, or with lines piped into stdin.  Keeps its history in memory only."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from chatsheet_llm.cli import show
from chatsheet_llm.cli.reading import Reading
from chatsheet_llm.cli.report import FAILED, UsageError, print_error, reported
from chatsheet_llm.cli.wishes import Wishes, hint_for

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

    from chatsheet_llm.client import ChatClient
    from chatsheet_llm.route import Route
    from chatsheet_llm.settings import Settings

COMMANDS = {
    "/help": "list the commands",
    "/model NAME": "go on with another model; without a name, tell which one it is",
    "/route": "show how the last answer came about",
    "/reset": "forget the conversation",
    "/quit": "end (so does the end of input)",
}
_COMMAND = re.compile(r"(/[a-z]+)(?:\s+(.*))?", re.DOTALL)
_PROMPT = "> "


def chat(wishes: Wishes) -> None:
    """Talk until the input ends.  Raises typer.Exit: 1 where a call failed and nobody sat there to see it."""
    with reported():
        from chatsheet_llm.settings import Settings

        settings = Settings()
        model = wishes.model_in(settings)
        at_terminal = sys.stdin is not None and sys.stdin.isatty()
        with wishes.client(settings) as client:
            talk = Talk(wishes, settings, client, model)
            if at_terminal:
                show.line(show.err(), f"Talking to {model}.  /help lists the commands, /quit ends.", "dim")
            talk.run(_typed if at_terminal else _piped)
        if talk.failed and not at_terminal:
            raise typer.Exit(FAILED)


@dataclass(slots=True)
class Talk:
    """One conversation: what was said, and what is to be known of the last answer."""

    wishes: Wishes
    settings: Settings
    client: ChatClient
    model: str
    history: list[ChatCompletionMessageParam] = field(default_factory=list)
    route: Route | None = None
    failed: bool = False

    def run(self, read: Callable[[], str | None]) -> None:
        """Take lines until there are no more, or one says /quit."""
        self.history = self.wishes.opening()
        while (line := read()) is not None:
            # A line that begins with a blank is said as it is, whatever stands behind it.
            command = _COMMAND.fullmatch(line.rstrip())
            if command is not None:
                if not self.obey(command[1], (command[2] or "").strip()):
                    return
            elif line.strip():
                self.say(line.strip())

    def obey(self, command: str, argument: str) -> bool:
        """Carry out a command; return whether the conversation goes on."""
        console = show.err()
        if command == "/quit":
            return False
        if command == "/reset":
            self.history, self.route = self.wishes.opening(), None
            show.line(console, "The conversation is forgotten.", "dim")
        elif command == "/route":
            if self.route is None:
                show.line(console, "There is no answer yet.", "dim")
            else:
                show.print_route(self.route)
        elif command == "/model":
            self.model = argument or self.model
            show.line(console, f"The model is {self.model}.", "dim")
        else:
            if command != "/help":
                show.note(f"there is no command {command!r}; begin the line with a blank to say it to the model")
            for form, meaning in COMMANDS.items():
                show.line(console, f"  {form:<12} {meaning}")
        return True

    def say(self, text: str) -> None:
        """Say something and print the answer.  A broken answer stays as far as it came; a failed one leaves nothing."""
        from chatsheet_llm.errors import ChatsheetError
        from chatsheet_llm.sdk import route_of

        asked: list[ChatCompletionMessageParam] = [*self.history, {"role": "user", "content": text}]
        reading, console = Reading(), show.out()
        broken: ChatsheetError | None = None
        stopped = False
        try:
            with self.wishes.streamed(self.client, self.model, asked) as chunks:
                self.route = route_of(chunks)
                show.stream(console, reading, chunks)
                self.route = route_of(chunks)
        except ChatsheetError as error:
            broken, self.route, self.failed = error, error.route, True
        except KeyboardInterrupt:
            stopped = True
        show.end(console, reading.text)
        if broken is not None:
            print_error(broken, hint_for(self.model, self.settings))
        if reading.text:
            self.history = [*asked, {"role": "assistant", "content": reading.text}]
        if broken is None and not stopped:
            for remark in reading.remarks:
                show.note(remark)
        elif reading.text:
            show.note(f"{_how(stopped)}; what came of the answer stays in the conversation")
        else:
            show.note(f"{_how(stopped)}; your message is not in the conversation, say it again to repeat it")


def _how(stopped: bool) -> str:
    return "stopped" if stopped else "the answer was interrupted"


def _typed() -> str | None:
    """Return the next line from the terminal, with editing and history where the platform has them; None at its end."""
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")
    try:
        return input(_PROMPT)
    except EOFError:
        show.line(show.out(), "")
        return None
    except UnicodeDecodeError:
        raise UsageError("the terminal sends what is not UTF-8 text; set its encoding to UTF-8") from None


def _piped() -> str | None:
    """Return the next line of stdin, or None at its end."""
    raw = sys.stdin.buffer.readline() if sys.stdin is not None else b""
    try:
        return raw.decode("utf-8-sig").rstrip("\r\n") if raw else None
    except UnicodeDecodeError:
        raise UsageError("stdin is not UTF-8 text; convert it first, as with iconv") from None

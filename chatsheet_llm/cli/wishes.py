"""What the options of a call say, and the client and request made from them.  Sends nothing and prints nothing."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chatsheet_llm.cli.report import UsageError

if TYPE_CHECKING:
    from openai import Stream
    from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam

    from chatsheet_llm.client import ChatClient
    from chatsheet_llm.hops import OnLoss
    from chatsheet_llm.settings import Settings


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options that `ask`, `chat` and `plan` share; None where one was not given.

    ``deadline`` is in seconds, ``chain`` is hops with commas between them.
    """

    model: str | None = None
    system: str | None = None
    chain: str | None = None
    mode: str | None = None
    deadline: float | None = None
    effort: str | None = None
    on_loss: str | None = None

    def client(self, settings: Settings) -> ChatClient:
        """Return a client that walks the chain asked for.  Raises UsageError, SettingsError."""
        from chatsheet_llm.client import ChatClient

        if self.deadline is not None and not 0 < self.deadline < math.inf:
            raise UsageError(f"--deadline must be a number of seconds greater than 0; got {self.deadline:g}")
        return ChatClient(
            settings, chain=self.chain, deadline=self.deadline, on_loss=cast("OnLoss | None", self.on_loss)
        )

    def model_in(self, settings: Settings) -> str:
        """Return the model asked for, else the first one of models.yaml.  Raises UsageError where there is neither."""
        if self.model is not None:
            if not self.model.strip():
                raise UsageError("--model is empty; name a model, as in --model gpt-5")
            return self.model
        first = next(iter(settings.registry), None)
        if first is None:
            raise UsageError("no model is named and there is no models.yaml to take one from; give --model NAME (-m)")
        return first.alias

    def extra(self) -> dict[str, object]:
        """Return the ``extra_body`` of the request.  A chain given here wins over that of the model's entry."""
        block = {"mode": self.mode, "chain": self.chain}
        return {"chatsheet": {name: value for name, value in block.items() if value is not None}}

    def messages(self, prompt: str) -> list[ChatCompletionMessageParam]:
        """Return the messages of a conversation that begins with this prompt."""
        return [*self.opening(), {"role": "user", "content": prompt}]

    def opening(self) -> list[ChatCompletionMessageParam]:
        """Return what stands before the first prompt."""
        return [{"role": "system", "content": self.system}] if self.system is not None else []

    def whole(self, client: ChatClient, model: str, messages: list[ChatCompletionMessageParam]) -> ChatCompletion:
        """Send the messages and return the answer.  Raises CallError, SettingsError."""
        from openai import omit

        return client.chat.completions.create(
            model=model,
            messages=messages,
            reasoning_effort=cast("Any", self.effort) if self.effort is not None else omit,
            extra_body=self.extra(),
        )

    def streamed(
        self, client: ChatClient, model: str, messages: list[ChatCompletionMessageParam]
    ) -> Stream[ChatCompletionChunk]:
        """Send the messages and return the stream of the answer.  Raises CallError, SettingsError."""
        from openai import omit

        return client.chat.completions.create(
            model=model,
            messages=messages,
            reasoning_effort=cast("Any", self.effort) if self.effort is not None else omit,
            extra_body=self.extra(),
            stream=True,
        )


def hint_for(model: str, settings: Settings) -> str | None:
    """Return what to say where no endpoint knows the model: the alias of models.yaml that is most like it."""
    registry = settings.registry
    close = registry.closest(model) if model not in registry else None
    where = registry.path.name if registry.path is not None else "models.yaml"
    return f"{where} has no {model!r}; did you mean {close!r}?" if close is not None else None


def prompt_from(argument: str | None) -> str:
    """Return the prompt: the argument, what is piped into stdin, or both with an empty line between.

    ``-`` reads stdin even from a terminal.  Raises UsageError where there is nothing to say.
    """
    said = [argument] if argument is not None and argument != "-" else []
    if argument == "-" or not _at_terminal():
        piped = _stdin()
        said += [piped] if piped.strip() else []
    prompt = "\n\n".join(said)
    if not prompt.strip():
        raise UsageError("there is no prompt; give it as an argument, or pipe it into stdin")
    return prompt


def tools_from(path: Path) -> list[dict[str, object]]:
    """Return the tools in a JSON file: a list of them, or an object with a list in ``tools``.  Raises UsageError."""
    where = f"--tools {str(path)!r}"
    told = _json_in(path, where)
    tools = told.get("tools") if isinstance(told, dict) else told
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise UsageError(f"{where} must hold a list of tools (objects), or an object with such a list in 'tools'")
    return tools


def request_from(path: Path) -> dict[str, object]:
    """Return the request in a JSON file: an object with ``messages`` or ``input``.  Raises UsageError."""
    where = f"--request {str(path)!r}"
    told = _json_in(path, where)
    if not isinstance(told, dict) or not {"messages", "input"} & told.keys():
        raise UsageError(f"{where} must hold an object with 'messages' (of chat) or 'input' (of Responses)")
    return told


def _json_in(path: Path, where: str) -> object:
    try:
        told: object = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{where} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{where} is not UTF-8 text; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{where} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    return told


def _at_terminal() -> bool:
    # None where the process was started with stdin closed.
    return sys.stdin is None or sys.stdin.isatty()


def _stdin() -> str:
    if sys.stdin is None:
        return ""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("stdin is not UTF-8 text; convert it first, as with iconv") from None

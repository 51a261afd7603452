"""The same faults against the bare SDKs and against the chain, side by side, in turns, on loopback.

``python benchmarks/faults.py`` prints the tables, ``--write`` puts them into ``docs/faults.md`` too.  An answer is what
most code takes for one: a call that raises nothing, its text, or the text of every event of its stream.
"""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import openai

import chatsheet_llm
from chatsheet_llm import ChatClient, Settings
from chatsheet_llm.sandbox import RoleName, Sandbox

PAGE = Path(__file__).resolve().parents[1] / "docs" / "faults.md"
PROMPT = "Repeat this: " + "say " * 40
TURNS = [{"role": "user", "content": PROMPT}]
PATIENCE = 0.5
"""Seconds for which each of them waits for a silent provider."""
SUBJECTS = ("SDK as it comes", "SDK, no retries", "chatsheet_llm")


@dataclass(frozen=True, slots=True)
class Fault:
    """A row: what the primary does, in the sandbox's words.

    ``options`` are of our client, and a row with some is about it alone.
    """

    name: str
    spec: str
    stream: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


FAULTS: tuple[Fault, ...] = (
    Fault("429 once", "429;retry-after=0.3;times=1"),
    Fault("500 once", "500;times=1"),
    Fault("500", "500"),
    Fault("503", "503"),
    Fault("refused", "refuse"),
    Fault("reset", "reset"),
    Fault("silence", "stall"),
    Fault("drip", "drip:0.001"),
    Fault("half a body", "cut:1"),
    Fault("empty body", "empty"),
    Fault("broken JSON", "garbage"),
    Fault("login page", "html"),
    Fault("redirect", "redirect"),
    Fault("context length", "400:context_length_exceeded"),
    Fault("content filter", "400:content_policy_violation"),
    Fault("stream: login page", "html", stream=True),
    Fault("stream: silence", "stall:0", stream=True),
    Fault("stream: no events", "empty", stream=True),
    Fault("stream: 429 in it", "failed:rate_limit_exceeded", stream=True),
    Fault("stream: fails", "failed:server_error@20", stream=True),
    Fault("stream: cut", "cut:20", stream=True),
    Fault("  buffered", "cut:20", stream=True, options={"stream_recovery": "buffer"}),
    Fault("stream: reset", "rst:20", stream=True),
    Fault("stream: stalls", "stall:20", stream=True),
    Fault("  buffered", "stall:20", stream=True, options={"stream_recovery": "buffer"}),
)
"""All last, but for those that say ``once``; a stream is cut, reset, stalled or failed after 20 words."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one of them made of one fault.  ``sends`` are those to the primary, and ours to the backup behind it."""

    got: str
    sends: tuple[int, int]
    seconds: float

    @property
    def wrong(self) -> bool:
        """Whether something that is no answer went for one, or the prompt went where it was not meant to."""
        return self.got.startswith("WRONG")

    def __str__(self) -> str:
        primary, backup = self.sends
        sends = f"{primary}+{backup}" if backup else str(primary)
        return f"{self.got:<18}{sends:>4}{self.seconds:>4.1f}"


Row = list["Cell | None"]
"""The cells of a fault, in the order of SUBJECTS."""


Ask = Callable[[Any, bool], "str | None"]
"""Make the call with a client, streamed or not, and return its text; None where what came is no reply."""


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format: who speaks it, the hops of the chain, and how its bare SDK is called and read."""

    name: str
    primary: RoleName
    chain: tuple[str, str]
    bare: Callable[[Sandbox, int], Any]
    ask: Ask
    caller: Ask


def bare_openai(box: Sandbox, retries: int) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{box.openai_url}/v1", api_key=box.api_key, max_retries=retries, timeout=PATIENCE)


def bare_anthropic(box: Sandbox, retries: int) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=box.anthropic_url, api_key=box.api_key, max_retries=retries, timeout=PATIENCE)


def ask_chat(client: Any, stream: bool) -> str | None:
    given = client.chat.completions.create(model="gpt-5", messages=TURNS, stream=stream)
    if stream:
        return "".join(
            (chunk.choices[0].delta and chunk.choices[0].delta.content) or "" for chunk in given if chunk.choices
        )
    return None if isinstance(given, str) else given.choices[0].message.content


def ask_responses(client: Any, stream: bool) -> str | None:
    given = client.responses.create(model="gpt-5", input=PROMPT, stream=stream)
    if stream:
        return "".join(event.delta for event in given if event.type == "response.output_text.delta")
    return None if isinstance(given, str) else given.output_text


def ask_messages(client: Any, stream: bool) -> str | None:
    given = client.messages.create(model="claude", max_tokens=500, messages=TURNS, stream=stream)
    if stream:
        return "".join(event.delta.text for event in given if event.type == "content_block_delta")
    return None if isinstance(given, str) else given.content[0].text


FORMATS: tuple[Format, ...] = (
    Format("Chat", "openai", ("openai/chat", "azure/chat"), bare_openai, ask_chat, ask_chat),
    Format("Responses", "openai", ("openai/responses", "azure/responses"), bare_openai, ask_responses, ask_responses),
    Format("Messages", "anthropic", ("anthropic", "anthropic_foundry"), bare_anthropic, ask_messages, ask_chat),
)
"""Behind the primary of each stands an Azure resource; a caller of ours speaks OpenAI's formats alone."""


def measured(formats: Sequence[Format] = FORMATS, faults: Sequence[Fault] = FAULTS) -> dict[str, list[Row]]:
    """Return a row of cells for every fault, by format.  The formats run side by side, each with its own providers."""
    found: dict[str, list[Row]] = {}

    def run(each: Format) -> None:
        with Sandbox() as box, ExitStack() as stack:
            clients = [stack.enter_context(each.bare(box, retries)) for retries in (2, 0)]
            for client in clients:
                each.ask(client, False)
            with ours(box, each, {}) as client:
                # Whatever is imported or opened by a first call is nobody's time.
                each.caller(client, False)
            rows = []
            for fault in faults:
                bare = [] if fault.options else clients
                cells: Row = [cell(box, each, fault, client, each.ask) for client in bare] or [None, None]
                with ours(box, each, fault.options) as client:
                    cells.append(cell(box, each, fault, client, each.caller))
                rows.append(cells)
            found[each.name] = rows

    threads = [threading.Thread(target=run, args=(each,)) for each in formats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {each.name: found[each.name] for each in formats}


@contextmanager
def ours(box: Sandbox, each: Format, options: Mapping[str, Any]) -> Iterator[ChatClient]:
    """Our client, new: with nothing learned, as patient with the primary as the SDKs are."""
    settings = Settings(
        _env_file=None,
        openai_base_url=f"{box.openai_url}/v1",
        openai_api_key=box.api_key,
        azure_openai_endpoint=box.azure_url,
        azure_openai_api_key=box.api_key,
        anthropic_base_url=box.anthropic_url,
        anthropic_api_key=box.api_key,
        anthropic_foundry_resource=f"{box.azure_url}/anthropic",
        anthropic_foundry_api_key=box.api_key,
        deadline=2 * PATIENCE,
        idle_timeout=PATIENCE,
    )
    with ChatClient(settings, chain=each.chain, **options) as client:
        yield client


def cell(box: Sandbox, each: Format, fault: Fault, client: Any, ask: Ask) -> Cell:
    """Make one call under one fault and look at it from both sides."""
    box.clear()
    box.forget()
    box.inject(each.primary, fault.spec)
    began = time.monotonic()
    try:
        got = judged(ask(client, fault.stream))
    except Exception as error:  # noqa: BLE001  whatever it is, the caller gets it
        got = type(error).__name__.removesuffix("Error")
    seconds = time.monotonic() - began
    box.clear()
    hits = {role: box.hits(role) for role in ("openai", "azure", "anthropic", "litellm")}
    sends = hits.pop(each.primary), hits.pop("azure")
    return Cell("WRONG: astray" if any(hits.values()) else got, sends, seconds)


def judged(text: str | None) -> str:
    """Return what a text is that was given as the answer."""
    if text is None:
        return "WRONG: no reply"
    if not text:
        return "WRONG: empty"
    said = f"You said: {PROMPT.strip()}\nAnswered by "
    whole = re.fullmatch(re.escape(said) + r"(\w+)/\w+ as [\w-]+\.", text)
    if whole is None:
        return "WRONG: cut short" if said.startswith(text) else "WRONG: altered"
    return "backup's answer" if whole[1] == "azure" else "answer"


def table(name: str, rows: Sequence[Row], faults: Sequence[Fault] = FAULTS) -> str:
    """Return one format's table as text, at most 100 columns wide, with a line of sums."""
    lines = [f"{name:<18}" + "".join(f" {subject:<17}{'sends':>5}{'s':>4}" for subject in SUBJECTS)]
    for fault, cells in zip(faults, rows, strict=True):
        lines.append(f"{fault.name:<18}" + "".join(f" {each:<26}" for each in (str(each or "") for each in cells)))
    # What only our client was asked to do is in no sum.
    columns = list(zip(*([each for each in cells if each] for cells in rows if all(cells)), strict=True))
    for title, count in SUMS.items():
        lines.append(f"{title:<18}" + "".join(f" {count(column):<26}" for column in columns))
    return "\n".join(line.rstrip() for line in lines)


def _answers(column: Sequence[Cell]) -> str:
    return str(sum("answer" in each.got for each in column))


def _wrong(column: Sequence[Cell]) -> str:
    return str(sum(each.wrong for each in column))


def _spent(column: Sequence[Cell]) -> str:
    return f"{sum(sum(each.sends) for each in column)} sends, {sum(each.seconds for each in column):.1f} s"


SUMS: Mapping[str, Callable[[Sequence[Cell]], str]] = {"ANSWERS": _answers, "WRONG": _wrong, "SPENT": _spent}

HEAD = """# Faults: the bare SDKs, and the chain

What a caller gets under each fault: from the provider's own SDK as it comes (two retries), from the SDK without
retries, and from `chatsheet_llm` with the same provider first and an Azure resource behind it. Written by
`make faults ARGS=--write`, in one run, in turns, on loopback; a test fails when what it says of the answers is not
true any more.

- **answer**, **backup's answer**: the whole text. A bare SDK has nobody to turn to, so an error is the best that it can
  do about a fault that stays; what tells is what went *wrong*, and what it cost.
- **WRONG**: no exception, and no answer: *cut short* (a part of the text as if it were all), *empty*, *no reply* (a
  `str` in the place of the reply). *astray*: the request with its prompt was sent to another host.
- An error stands as its class without `Error`. A stream that breaks after its first words is an error for us too, with
  those words in it (`StreamInterrupted`, `StreamTruncated`); *buffered* is the fault above it with
  `stream_recovery="buffer"`.
- **sends**: requests that reached the primary, `+` those that reached the backup. **s**: seconds; each is told to wait
  for half a second, and for us the call has a deadline of one.
"""


def page(tables: Sequence[str]) -> str:
    """Return the page: what is measured, with what, and the tables."""
    versions = (
        f"openai {openai.__version__}, anthropic {anthropic.__version__}, chatsheet_llm {chatsheet_llm.__version__}"
    )
    return "\n".join([HEAD, f"Measured with {versions}.\n", *(f"```text\n{each}\n```\n" for each in tables)])


def main() -> None:
    parser = argparse.ArgumentParser(description="Faults against the bare SDKs and against the chain, side by side.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} as well")
    write = parser.parse_args().write
    tables = [table(name, rows) for name, rows in measured().items()]
    print("\n\n".join(tables))
    if write:
        PAGE.write_text(page(tables), encoding="utf-8")


if __name__ == "__main__":
    main()

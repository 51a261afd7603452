"""``demo``: play the scenes against the sandbox, live, and check each.  Reads no environment, .env or models.yaml."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from chatsheet_llm.cli import show
from chatsheet_llm.cli.reading import Reading
from chatsheet_llm.cli.report import FAILED, reported
from chatsheet_llm.cli.scenes import SCENES, Outcome, Scene, judged

if TYPE_CHECKING:
    from rich.console import Console

    from chatsheet_llm.sandbox import Sandbox
    from chatsheet_llm.settings import Settings

PACE = 0.04
"""Seconds between the events of a stream: about as fast as a real model talks."""
PROMPT = "Tell me in one line why an answer should keep coming when a provider does not."
DEADLINE = 10.0
CHAIN = ("litellm", "azure/responses", "azure/chat")


def demo(*, fast: bool, as_json: bool) -> None:
    """Play every scene and print one table of what was tried.  Exit 1 unless every scene ended as it should."""
    with reported(as_json=as_json):
        from chatsheet_llm.sandbox import Sandbox

        console = show.out()
        with Sandbox(pace=0.0 if fast else PACE) as box:
            if not as_json:
                _opening(console)
            outcomes = []
            for number, scene in enumerate(SCENES, 1):
                if not as_json:
                    _title(console, number, scene)
                outcomes.append(play(scene, box, None if as_json else console))
        right = sum(not outcome.wrong for outcome in outcomes)
        if as_json:
            show.as_json({"ok": right == len(outcomes), "scenes": [_told(outcome) for outcome in outcomes]})
        else:
            _closing(console, outcomes, right)
        if right < len(outcomes):
            raise typer.Exit(FAILED)


def settings_for(box: Sandbox) -> Settings:
    """Return settings that point at the sandbox and were read from nowhere."""
    from pydantic import SecretStr

    from chatsheet_llm.settings import Settings

    key = SecretStr(box.api_key)
    # Not the constructor: it reads the environment and models.yaml for whatever is not given.
    return Settings.model_construct(
        litellm_base_url=box.litellm_url,
        litellm_api_key=key,
        azure_openai_endpoint=box.azure_url,
        azure_openai_api_key=key,
        chain=CHAIN,
        deadline=DEADLINE,
    )


def play(scene: Scene, box: Sandbox, console: Console | None) -> Outcome:
    """Play one scene with a client that remembers nothing of the others; print its text where there is a console."""
    import httpx2

    from chatsheet_llm.client import ChatClient
    from chatsheet_llm.errors import CallError, StreamInterrupted
    from chatsheet_llm.sdk import route_of

    box.clear()
    box.forget()
    for label, fault in scene.faults:
        box.inject(label, fault)
    reading = Reading()
    begun = time.monotonic()
    # Without the environment's HTTP proxy, which could not reach this machine's loopback.
    with ChatClient(settings_for(box), http_client=httpx2.Client(trust_env=False)) as client:
        error: CallError | None = None
        try:
            with client.chat.completions.create(
                model=scene.model, messages=[{"role": "user", "content": PROMPT}], stream=True
            ) as chunks:
                for chunk in chunks:
                    piece = reading.take(chunk)
                    if console is not None:
                        show.say(console, piece)
                route = route_of(chunks)
        except CallError as failed:
            error, route = failed, failed.route
    outcome = Outcome(
        scene=scene,
        text=reading.text,
        partial=error.partial if isinstance(error, StreamInterrupted) else None,
        error=type(error).__name__ if error is not None else None,
        route=route,
        seconds=time.monotonic() - begun,
    )
    hits = {label: box.hits(label) for label in scene.untouched}
    outcome = replace(outcome, wrong=judged(scene, outcome, PROMPT, hits))
    if console is not None:
        show.end(console, reading.text)
        _verdict(console, outcome)
    return outcome


def _opening(console: Console) -> None:
    show.line(console, f"{len(SCENES)} calls through one chain, against stand-in providers on this machine.", "bold")
    show.line(console, f"The chain: {' -> '.join(CHAIN)}.  No keys, no network.", "dim")


def _title(console: Console, number: int, scene: Scene) -> None:
    show.line(console, "")
    show.line(console, f"{number}. {scene.title}", "bold cyan")
    console.print(Text(scene.tells, style="dim"))


def _verdict(console: Console, outcome: Outcome) -> None:
    console.print(Text(f"=> {outcome.route}", style="dim"))
    if outcome.error is not None and not outcome.wrong:
        console.print(Text(f"=> {outcome.error}, as it should be: .partial holds the text above", style="green"))
    for sentence in outcome.wrong:
        show.line(console, f"=> WRONG: {sentence}", "bold red")


def _closing(console: Console, outcomes: list[Outcome], right: int) -> None:
    show.line(console, "")
    whole = ("hops tried", "time", "outcome")
    console.print(show.table("scene", *whole, "the caller got", rows=_rows(outcomes), whole=whole))
    total = sum(outcome.seconds for outcome in outcomes)
    verdict = f"{right} of {len(outcomes)} scenes ended as they should, in {total:.1f} s"
    show.line(console, verdict, "bold green" if right == len(outcomes) else "bold red")


def _rows(outcomes: list[Outcome]) -> Iterable[tuple[str | Text, ...]]:
    for number, outcome in enumerate(outcomes, 1):
        tried, times = Text(), []
        for attempt in outcome.route.attempts:
            if attempt.waited >= 0.1:
                tried.append("(waited)\n", "dim")
                times.append(show.milliseconds(attempt.waited))
            hop, _, result = str(attempt).partition(" ")
            tried.append(f"{hop} ").append(f"{result}\n", show.style_of(attempt))
            times.append(show.milliseconds(attempt.seconds))
        tried.rstrip()
        ended = Text("WRONG", "bold red") if outcome.wrong else Text("ok", "green")
        yield f"{number} {outcome.scene.title}", tried, Text("\n".join(times), justify="right"), ended, outcome.got


def _told(outcome: Outcome) -> dict[str, object]:
    return {
        "scene": outcome.scene.title,
        "ok": not outcome.wrong,
        "wrong": list(outcome.wrong),
        "model": outcome.scene.model,
        "faults": dict(outcome.scene.faults),
        "got": outcome.got,
        "text": outcome.text,
        "error": outcome.error,
        "partial": outcome.partial,
        "seconds": round(outcome.seconds, 3),
        "route": show.route_as_json(outcome.route),
    }

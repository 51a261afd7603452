"""The commands of ``chatsheet-llm`` and their options.  Does nothing itself, and loads a command when it is called."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand
from typing_extensions import override

from chatsheet_llm._version import __version__

if TYPE_CHECKING:
    from chatsheet_llm.cli.wishes import Wishes

app = typer.Typer(
    help="Ask models through a chain of providers: the LiteLLM proxy, Azure OpenAI, OpenAI, Anthropic.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback of ours is for a bug report; one with local variables would hold keys.
    pretty_exceptions_enable=False,
)


class Mode(str, Enum):
    """The APIs, as an option takes them."""

    chat = "chat"
    responses = "responses"
    messages = "messages"


class OnLoss(str, Enum):
    """What to do about an input that a hop cannot carry, as an option takes it."""

    error = "error"
    drop = "drop"


class _WithFaults(TyperCommand):
    """A command whose help ends with the table of faults."""

    @override
    def format_help(self, ctx: Any, formatter: Any) -> None:
        from chatsheet_llm.cli.sandbox import list_faults

        super().format_help(ctx, formatter)
        list_faults()


ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="The model, or an alias of models.yaml (default: its first).")
]
SystemOption = Annotated[str | None, typer.Option("--system", "-s", help="What the model is told before the prompt.")]
ChainOption = Annotated[
    str | None, typer.Option("--chain", "-c", help="Hops in order, as in litellm,azure/responses (default: settings).")
]
ModeOption = Annotated[Mode | None, typer.Option("--mode", help="The API to use on every hop (default: by rule).")]
DeadlineOption = Annotated[
    float | None, typer.Option("--deadline", help="Seconds for the whole call, all hops included.")
]
EffortOption = Annotated[str | None, typer.Option("--effort", help="Reasoning effort: minimal, low, medium, high, ...")]
OnLossOption = Annotated[
    OnLoss | None, typer.Option("--on-loss", help="When a hop cannot carry an input: leave it out, or drop the input.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chatsheet-llm {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask models through a chain of providers: the LiteLLM proxy, Azure OpenAI, OpenAI, Anthropic.

    Reads the environment, .env and models.yaml. Exit codes: 0 ok, 1 the call failed, 2 wrong usage or settings.
    """
    del version


@app.command()
def ask(
    prompt: Annotated[
        str | None, typer.Argument(help="The question; what is piped into stdin is added. '-' reads stdin alone.")
    ] = None,
    model: ModelOption = None,
    system: SystemOption = None,
    chain: ChainOption = None,
    mode: ModeOption = None,
    deadline: DeadlineOption = None,
    effort: EffortOption = None,
    on_loss: OnLossOption = None,
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="Print the answer as it arrives.")] = True,
    as_json: JsonOption = False,
    route: Annotated[bool, typer.Option("--route", help="Print which hops were tried, on stderr.")] = False,
) -> None:
    """Ask one question and print the answer."""
    from chatsheet_llm.cli.ask import ask

    wishes = _wishes(model, system, chain, mode, deadline, effort, on_loss)
    ask(prompt, wishes, stream=stream, as_json=as_json, route=route)


@app.command()
def chat(
    model: ModelOption = None,
    system: SystemOption = None,
    chain: ChainOption = None,
    mode: ModeOption = None,
    deadline: DeadlineOption = None,
    effort: EffortOption = None,
    on_loss: OnLossOption = None,
) -> None:
    """Talk to a model; /help lists what can be done on the way."""
    from chatsheet_llm.cli.chat import chat

    chat(_wishes(model, system, chain, mode, deadline, effort, on_loss))


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="One model, to see all that is known of it.")] = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Also ask the first endpoint that answers which models it has.")
    ] = False,
    chain: Annotated[
        str | None, typer.Option("--chain", "-c", help="With --remote: the endpoints to ask, in order.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the models of models.yaml: mode, hops, base model, and where each fact comes from."""
    from chatsheet_llm.cli.models import models

    models(name, remote=remote, chain=chain, as_json=as_json)


@app.command()
def plan(
    prompt: Annotated[str | None, typer.Argument(help="The question, where the plan depends on it.")] = None,
    model: ModelOption = None,
    system: SystemOption = None,
    chain: ChainOption = None,
    mode: ModeOption = None,
    effort: EffortOption = None,
    on_loss: OnLossOption = None,
    tools: Annotated[Path | None, typer.Option("--tools", help="A JSON file with the tools of the request.")] = None,
    request: Annotated[
        Path | None, typer.Option("--request", help="A JSON file with the whole request, of chat or of Responses.")
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Plan a streamed request.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show which hops a request would take, and why; uses no network."""
    from chatsheet_llm.cli.plan import plan

    wishes = _wishes(model, system, chain, mode, None, effort, on_loss)
    plan(prompt, wishes, stream=stream, tools=tools, request=request, as_json=as_json)


@app.command(cls=_WithFaults)
def sandbox(
    port: Annotated[int, typer.Option("--port", help="The first of four ports in a row; 0 takes any.")] = 8400,
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help="HOP=FAULT, as in litellm=503; may be repeated.")
    ] = None,
    pace: Annotated[float, typer.Option("--pace", help="Seconds between the events of a stream.")] = 0.02,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Print the table of faults and end.")] = False,
) -> None:
    """Play the providers on this machine, faults included."""
    from chatsheet_llm.cli import sandbox

    if list_faults:
        sandbox.list_faults()
    else:
        sandbox.sandbox(port=port, faults=fault or (), pace=pace)


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Without the pace of a real model.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what happens when providers fail: no keys, no network."""
    from chatsheet_llm.cli.demo import demo

    demo(fast=fast, as_json=as_json)


@app.command("proxy-config")
def proxy_config(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file (default: stdout).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    check: Annotated[
        Path | None, typer.Option("--check", help="Say what in this proxy_config.yaml will not do what it seems to.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a LiteLLM proxy's configuration from models.yaml, or check one."""
    from chatsheet_llm.cli.proxy_config import proxy_config

    proxy_config(output=output, force=force, checked=check, as_json=as_json)


def _wishes(
    model: str | None,
    system: str | None,
    chain: str | None,
    mode: Mode | None,
    deadline: float | None,
    effort: str | None,
    on_loss: OnLoss | None,
) -> Wishes:
    from chatsheet_llm.cli.wishes import Wishes

    return Wishes(
        model=model,
        system=system,
        chain=chain,
        mode=mode.value if mode is not None else None,
        deadline=deadline,
        effort=effort,
        on_loss=on_loss.value if on_loss is not None else None,
    )

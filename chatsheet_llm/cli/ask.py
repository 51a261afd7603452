"""``ask``: one question, one answer on stdout, everything else on stderr.  Keeps no history."""

from __future__ import annotations

from chatsheet_llm.cli import show
from chatsheet_llm.cli.reading import Reading
from chatsheet_llm.cli.report import reported
from chatsheet_llm.cli.wishes import Wishes, hint_for, prompt_from


def ask(prompt: str | None, wishes: Wishes, *, stream: bool, as_json: bool, route: bool) -> None:
    """Ask and print.  Raises typer.Exit where that fails.

    ``as_json`` prints one object when the answer is whole: text, model, usage, finish_reason, refused, route.
    """
    with reported(as_json=as_json) as report:
        from chatsheet_llm.sdk import route_of
        from chatsheet_llm.settings import Settings

        said = prompt_from(prompt)
        settings = Settings()
        model = wishes.model_in(settings)
        report.hint = hint_for(model, settings)
        reading, console = Reading(), show.out()
        with wishes.client(settings) as client:
            messages = wishes.messages(said)
            if stream and not as_json:
                try:
                    with wishes.streamed(client, model, messages) as chunks:
                        show.stream(console, reading, chunks)
                        way = route_of(chunks)
                finally:
                    # What follows on stderr, an error too, begins on a line of its own.
                    show.end(console, reading.text)
            else:
                completion = wishes.whole(client, model, messages)
                text = reading.take_whole(completion)
                way = route_of(completion)
                if as_json:
                    show.as_json(
                        {
                            "text": text,
                            "model": completion.model,
                            "usage": completion.usage.model_dump(mode="json") if completion.usage else None,
                            "finish_reason": reading.finish_reason,
                            "refused": reading.refused,
                            "route": show.route_as_json(way),
                        }
                    )
                else:
                    show.say(console, text)
                    show.end(console, text)
        for remark in () if as_json else reading.remarks:
            show.note(remark)
        if route:
            show.print_route(way)

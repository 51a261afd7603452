"""Write proxy_config.yaml for LiteLLM from the settings, as text.  Holds no secret and opens no file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import yaml

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.models import ANY_NAME, ModelSpec
from chatsheet_llm.proxy_config.entries import Entry, Omission, entry_of
from chatsheet_llm.settings import Settings

MASTER_KEY: Final = "LITELLM_MASTER_KEY"
"""The variable with the key that the proxy's own administrator uses."""
AZURE_KEY: Final = "AZURE_OPENAI_API_KEY"
"""The variable whose key LiteLLM sends to every Azure resource that has no key of its own in the file."""
_WIDTH: Final = 110


def proxy_config(settings: Settings) -> str:
    """Return the file: one entry a model, at the first endpoint of its chain that LiteLLM can ask.

    An entry has the name that a client of these settings asks the proxy for; models that are the same there share one.
    Keys and header values are references to the variables that these settings read.  A model that no such endpoint has
    is a comment with the reason; so is the entry ``*``.  Raises SettingsError where no model can be written, for names
    that a proxy cannot serve, and for one name of several things.
    """
    registry = settings.registry
    if not len(registry):
        raise SettingsError(f"{registry.name} names no model, so there is nothing to write; list the models there")
    made = _apart([_entry(spec, settings) for spec in registry])
    entries = [item for item in made if isinstance(item, Entry)]
    problems = [*(problem for entry in entries for problem in entry.asked.problems), *_clashes(entries)]
    if problems:
        raise SettingsError("\n".join(problems))
    if not entries:
        raise SettingsError(
            "\n".join(
                f"model {item.alias!r} cannot be written: {item.reason}" for item in made if isinstance(item, Omission)
            )
        )
    return "\n".join((*_header(entries, registry.name), *_model_list(made), *_tail()))


def _clashes(entries: Sequence[Entry]) -> Iterator[str]:
    """Sentences on names that two models would have with another meaning each."""
    first: dict[str, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.asked.name, entry)
        apart = _difference(other, entry)
        if apart is not None:
            here, there = entry.asked, other.asked
            yield (
                f"{here.source}: model {here.alias!r} is {here.name!r} at {here.proxy!r}, and so is model "
                f"{there.alias!r} ({there.source}), but they differ in {apart}; {here.remedy}"
            )


def _difference(one: Entry, other: Entry) -> str | None:
    """The first field of the file that two entries do not share, with both values; None where they are the same."""
    left, right = ({**entry.params, **entry.info} for entry in (one, other))
    for name in dict.fromkeys((*left, *right)):
        if left.get(name) != right.get(name):
            return f"{name}: {left.get(name, 'none')} there, {right.get(name, 'none')} here"
    return None


def _entry(spec: ModelSpec, settings: Settings) -> Entry | Omission:
    if spec.alias == ANY_NAME:
        return Omission(spec.alias, "it stands for every name that the file does not list, and a proxy serves a list")
    return entry_of(spec, settings)


def _apart(made: Sequence[Entry | Omission]) -> list[Entry | Omission]:
    """Leave out who travels by a token where LiteLLM would send a key from its environment in the token's place."""
    if not any(AZURE_KEY in item.variables for item in made if isinstance(item, Entry)):
        return list(made)
    reason = (
        f"its endpoint takes a bearer token, and LiteLLM would send {AZURE_KEY} in its place, which this file needs; "
        f"give the key to an endpoint with another name"
    )
    return [Omission(item.asked.alias, reason) if isinstance(item, Entry) and item.by_token else item for item in made]


def _header(entries: Iterable[Entry], source: str) -> Iterable[str]:
    names = dict.fromkeys([MASTER_KEY, *(name for entry in entries for name in entry.variables)])
    yield from _comment(
        f"Written by `chatsheet-llm proxy-config` from {source}.  Do not change it here; write it anew:"
    )
    yield "#   chatsheet-llm proxy-config --output proxy_config.yaml --force"
    yield from _comment("It holds no secret.  The proxy reads these variables from its environment:")
    yield from (f"#   {name}" for name in names)
    yield ""


def _model_list(made: Iterable[Entry | Omission]) -> Iterable[str]:
    yield "model_list:"
    noted: set[str] = set()
    by_name: dict[str, list[Entry]] = {}
    for item in made:
        if isinstance(item, Entry):
            by_name.setdefault(item.asked.name, []).append(item)
    for item in made:
        if isinstance(item, Omission):
            yield from _comment(f"model {item.alias!r} is left out: {item.reason}", "  ")
            continue
        same = by_name.pop(item.asked.name, ())
        if not same:
            continue
        told: dict[str, object] = {"model_name": item.asked.name, "litellm_params": dict(item.params)}
        if item.info:
            told["model_info"] = dict(item.info)
        remarks = dict.fromkeys(remark for entry in same for remark in entry.remarks)
        for remark in (*_names(same), *(note for note in item.notes if note not in noted), *remarks):
            yield from _comment(remark, "  ")
        noted.update(item.notes)
        yield textwrap.indent(_dumped([told]), "  ")
    yield ""


def _names(same: Sequence[Entry]) -> Iterator[str]:
    """Who is meant, where the name of an entry is not that of its one model."""
    aliases = [entry.asked.alias for entry in same]
    if aliases != [same[0].asked.name]:
        word = "model" if len(aliases) == 1 else "models"
        yield f"{word} {', '.join(map(repr, aliases))}, by the name that {same[0].asked.proxy!r} is asked for"


def _tail() -> Iterable[str]:
    yield from _comment(
        "No retries of its own: the caller walks a chain, and two layers of retries multiply the sends."
    )
    yield _dumped({"router_settings": {"num_retries": 0}})
    yield ""
    yield _dumped({"general_settings": {"master_key": f"os.environ/{MASTER_KEY}"}})
    yield ""


def _dumped(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10**6).rstrip("\n")


def _comment(text: str, indent: str = "") -> list[str]:
    """Lines of a comment; whatever breaks a line, or is no text, is taken out first."""
    clean = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return textwrap.wrap(
        clean, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ", break_on_hyphens=False
    )

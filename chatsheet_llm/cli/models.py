"""``models``: what is known of the models of models.yaml, and what an endpoint says it has.  Judges neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsheet_llm.cli import show
from chatsheet_llm.cli.report import UsageError, reported
from chatsheet_llm.cli.wishes import Wishes

if TYPE_CHECKING:
    from chatsheet_llm.inventory import Fact, ModelView
    from chatsheet_llm.settings import Settings


def models(name: str | None, *, remote: bool, chain: str | None, as_json: bool) -> None:
    """List the registry, or tell all of one model; with ``remote`` also what the first endpoint that answers has."""
    with reported(as_json=as_json):
        from chatsheet_llm.settings import Settings

        if chain is not None and not remote:
            raise UsageError("--chain says which endpoint to ask, so it needs --remote")
        settings = Settings()
        views = _views(settings, name)
        told: dict[str, object] = {"models": [_told(view, settings) for view in views]}
        if not as_json and name is not None:
            _print_model(views[0])
        elif not as_json:
            _print_registry(views, settings)
        if remote:
            _remote(settings, chain, told, as_json=as_json)
        if as_json:
            show.as_json(told)


def _views(settings: Settings, name: str | None) -> tuple[ModelView, ...]:
    """Return the models asked for.  Builds no client, so that no endpoint has to be configured."""
    from chatsheet_llm.core import Setup
    from chatsheet_llm.inventory import inventory

    setup = Setup(settings)
    views = inventory(setup.registry, setup.endpoints, settings.chain, setup.unconfigured)
    found = tuple(view for view in views if name in (None, view.alias))
    if name is not None and setup.registry.path is None:
        raise UsageError(
            f"there is no models.yaml, so nothing more is known of {name!r}: it goes out as it is.  Write one into the "
            "working directory, or name one with CHATSHEET_MODELS_FILE"
        )
    if not found and name is not None:
        close = setup.registry.closest(name)
        hint = f"; did you mean {close!r}?" if close is not None else ""
        raise UsageError(f"{setup.registry.name} names no model {name!r}{hint}")
    return found


def _told(view: ModelView, settings: Settings) -> dict[str, object]:
    from chatsheet_llm.inventory import as_json

    spec = settings.registry.models[view.alias]
    return {**as_json(view), "deployments": dict(spec.deployments), "api_model": spec.api_model}


def _print_registry(views: tuple[ModelView, ...], settings: Settings) -> None:
    console = show.out()
    if not views:
        show.line(console, "no models.yaml names a model; any name can be given with --model, and goes out as it is")
        return
    rows = [
        (
            view.alias,
            _short(view.base_model),
            _short(view.mode) or "by rule",
            "\n".join(_hops(view, settings)),
            view.source.replace("\\", "/").rpartition("/")[2],
        )
        for view in views
    ]
    console.print(show.table("alias", "base model", "mode", "hops", "source", rows=rows))


def _hops(view: ModelView, settings: Settings) -> list[str]:
    """Return the hops of a model, each with its deployment where it has one of its own, then those left out."""
    spec = settings.registry.models[view.alias]
    hops = [hop.name + (f" ({hop.deployment})" if hop.deployment != view.alias else "") for hop in view.hops]
    for skip in view.skipped:
        name = spec.deployment_for(skip.hop.partition("/")[0])
        hops.append(f"{skip.hop}{f' ({name})' if name != spec.alias else ''}: {skip.rule}")
    return hops


def _short(fact: Fact | None) -> str:
    return "" if fact is None else f"{fact.value} ({fact.source})"


def _print_model(view: ModelView) -> None:
    """Print every fact of a model with its source."""
    console = show.out()
    facts = {"base model": view.base_model, "mode": view.mode, **view.capabilities, **view.defaults}
    show.line(console, f"{view.alias}, {view.source}", "bold")
    rows = [(name, _said(fact.value), fact.source, fact.where) for name, fact in facts.items() if fact is not None]
    console.print(show.table("fact", "value", "from", "where", rows=rows))
    hops = [
        (hop.name, hop.deployment or "", _short(hop.base_model), hop.rule, f"{hop.reason} ({hop.mode.source})")
        for hop in view.hops
    ]
    hops += [(skip.hop, "", "", skip.rule, f"left out: {skip.reason}") for skip in view.skipped]
    console.print(show.table("hop", "deployment", "base model", "rule", "reason", rows=hops))


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{old} as {new}" for old, new in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _remote(settings: Settings, chain: str | None, told: dict[str, object], *, as_json: bool) -> None:
    from chatsheet_llm.sdk import route_of

    with Wishes(chain=chain).client(settings) as client:
        page = client.models.list(extra_query={"chatsheet": "remote"})
        route = route_of(page)
        found = sorted(((model.id, model.owned_by) for model in page), key=lambda row: row[0])
    if as_json:
        told["remote"] = {
            "models": [{"id": name, "owned_by": owner} for name, owner in found],
            "route": show.route_as_json(route),
        }
        return
    console = show.out()
    show.line(console, f"{route.hop} has {len(found)} models ({route})", "bold")
    console.print(show.table("id", "owned by", rows=((name, owner or "") for name, owner in found)))

"""``models``: what models.yaml names, and what an endpoint says it has.  Judges neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsheet_llm.cli import show
from chatsheet_llm.cli.report import UsageError, reported
from chatsheet_llm.cli.wishes import Wishes

if TYPE_CHECKING:
    from chatsheet_llm.models import ModelSpec
    from chatsheet_llm.settings import Settings


def models(*, remote: bool, chain: str | None, as_json: bool) -> None:
    """List the registry; with ``remote`` also what the first endpoint of the chain that answers has."""
    with reported(as_json=as_json):
        from chatsheet_llm.settings import Settings

        if chain is not None and not remote:
            raise UsageError("--chain says which endpoint to ask, so it needs --remote")
        settings = Settings()
        told: dict[str, object] = {"models": [_told(spec, settings) for spec in settings.registry]}
        if not as_json:
            _print_registry(settings)
        if remote:
            _remote(settings, chain, told, as_json=as_json)
        if as_json:
            show.as_json(told)


def hops_of(spec: ModelSpec, settings: Settings) -> list[str]:
    """Return the hops of a model as the chain names them, each with its deployment where it has one of its own."""
    chains, endpoints = settings.registry.chains, settings.resolved_endpoints()
    made = []
    for hop in (hop for entry in spec.chain or settings.chain for hop in chains.get(entry, (entry,))):
        endpoint = hop.partition("/")[0]
        default = endpoints[endpoint].deployment if endpoint in endpoints else None
        name = spec.deployment_for(endpoint, default)
        made.append(hop if name == spec.alias else f"{hop} ({name})")
    return made


def _told(spec: ModelSpec, settings: Settings) -> dict[str, object]:
    return {
        "alias": spec.alias,
        "base_model": spec.base_model,
        "api_model": spec.api_model,
        "mode": spec.mode,
        "hops": hops_of(spec, settings),
        "deployments": dict(spec.deployments),
        "reasoning_effort": spec.reasoning_effort,
        "max_tokens": spec.max_tokens,
        "source": spec.source,
    }


def _print_registry(settings: Settings) -> None:
    console = show.out()
    if not len(settings.registry):
        show.line(console, "no models.yaml names a model; any name can be given with --model, and goes out as it is")
        return
    rows = [
        (
            spec.alias,
            spec.base_model or "",
            spec.mode or "by rule",
            "\n".join(hops_of(spec, settings)),
            spec.source.replace("\\", "/").rpartition("/")[2],
        )
        for spec in settings.registry
    ]
    console.print(show.table("alias", "base model", "mode", "hops", "source", rows=rows))


def _remote(settings: Settings, chain: str | None, told: dict[str, object], *, as_json: bool) -> None:
    from chatsheet_llm.sdk import route_of

    with Wishes(chain=chain).client(settings) as client:
        page = client.models.list()
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

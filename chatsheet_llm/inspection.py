"""What a client tells of itself without a network: plans, models, health, what was learned.  Sends nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import httpx2

from chatsheet_llm import report, sdk
from chatsheet_llm.asking import call_of, hops_of
from chatsheet_llm.choices import BLOCK, Choices
from chatsheet_llm.core import Core
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.hops import PATHS, Dispatch
from chatsheet_llm.models import ANY_NAME, Registry
from chatsheet_llm.route import Route

if TYPE_CHECKING:
    from chatsheet_llm.health import DomainHealth
    from chatsheet_llm.inventory import ModelView
    from chatsheet_llm.learned import Lesson

_BESIDE_THE_BODY = ("extra_headers", "extra_query", "timeout")
"""Arguments of the SDK's methods that are no part of the request's body."""


class Inspection:
    """What both clients answer from what they know."""

    _core: Core
    _choices: Choices

    def plan(
        self,
        body: Mapping[str, object] | None = None,
        /,
        *,
        path: str = "/chat/completions",
        stream: bool = False,
        **fields: object,
    ) -> Dispatch:
        """Return the hops that a request would take, and the rule of each, without any network.

        ``body`` is the request's JSON body, a ``chatsheet`` block included; ``fields`` are further fields, so that
        ``client.plan(model=..., messages=...)`` reads like the call.
        """
        whole = {**(body or {}), **fields}
        extra = whole.pop("extra_body", None)
        whole |= extra if isinstance(extra, Mapping) else {}
        for name in _BESIDE_THE_BODY:
            whole.pop(name, None)
        stream = stream or whole.get("stream") is True
        if path not in PATHS and f"/{path.strip('/').removeprefix('v1/')}" in PATHS:
            path = f"/{path.strip('/').removeprefix('v1/')}"
        options = sdk.FinalRequestOptions.construct(method="post", url=path, json_data=cast("Any", whole))
        call, _ = call_of(options, self._choices, stream, math.inf)
        return hops_of(call, self._core, self._core.setup, self._choices.chain)

    def health(self) -> tuple[DomainHealth, ...]:
        """Return the state of every failure domain asked about so far: endpoints, and APIs of deployments there."""
        names: dict[str, str] = {}
        for name, origin in self._core.origins_by_endpoint().items():
            names[origin] = f"{names[origin]}, {name}" if origin in names else name
        return self._core.domains.health(names)

    def models_known(self) -> tuple[ModelView, ...]:
        """Return every model of ``models.yaml`` with all that is known of it and where each fact comes from.

        ``client.models.list()`` gives the same as OpenAI's list of models.  Uses no network.
        """
        return self._views()

    def _views(self, only: Iterable[str] | None = None) -> tuple[ModelView, ...]:
        from chatsheet_llm.inventory import inventory

        core = self._core
        setup = core.setup
        return inventory(setup.registry, setup.endpoints, self._choices.chain, setup.unconfigured, core.learned, only)

    def _own_answer(self, options: sdk.FinalRequestOptions) -> tuple[sdk.FinalRequestOptions, httpx2.Response] | None:
        """Answer for the models that the registry names; None for every other request, which goes to an endpoint.

        So does one whose query says ``chatsheet=remote``, which never leaves the process.
        """
        asked = options.url.strip("/")
        if options.method.lower() != "get" or asked.partition("/")[0] != "models":
            return None
        where = options.params.get(BLOCK)
        if where not in (None, "remote"):
            raise SettingsError(f"extra_query[{BLOCK!r}] takes 'remote', to ask the endpoints; got {str(where)[:40]!r}")
        registry = self._core.setup.registry
        if where is not None or not len(registry):
            return None
        name = unquote(asked.partition("/")[2])
        if name and (name == ANY_NAME or name not in registry):
            if not registry.closed:
                return None
            raise report.unknown_model(name, registry, Route())
        from chatsheet_llm.inventory import as_list, as_model

        told = as_model(self._views([name])[0]) if name else as_list(self.models_known())
        own = sdk.copied(options)
        sdk.with_route(own, Route)
        made = sdk.response_for(
            status=200,
            headers={"content-type": "application/json"},
            body=json.dumps(told).encode(),
            url="https://chatsheet.invalid/models",
            marker=sdk.raw_marker(options),
            route=Route,
            seconds=0.0,
        )
        return own, made

    def reload(self) -> Registry:
        """Read ``models.yaml`` again and put it in force for calls that begin from now on, also of copies.

        Returns the registry now in force.  Running calls end as they began; an endpoint that did not change keeps its
        connections, and what was learned stays.  Settings from elsewhere are not read again, but for the variables that
        the file refers to.  Raises SettingsError for a file that is wrong; then the one read before stays in force.
        """
        try:
            return self._core.reload(self._choices.chain).registry
        except SettingsError as error:
            raise SettingsError(f"{error}\nnothing was reloaded: what was read before stays in force") from None

    def learned(self) -> tuple[Lesson, ...]:
        """Return what endpoints have shown of their deployments: APIs that they refuse, models behind their names."""
        return self._core.learned.lessons()

    def forget(self, endpoint: str | None = None, deployment: str | None = None) -> tuple[Lesson, ...]:
        """Forget what was learned, of everything or of one endpoint or deployment, and return it.

        What took no calls because of it takes them again; so in the processes that share state with this one.
        """
        gone = self._core.learned.forget(endpoint, deployment, everywhere=True)
        for each in self._core.setup.endpoints.values():
            if endpoint in (None, each.name):
                self._core.domains.reopen(each.origin, deployment)
        return gone

"""What the SDK's own resources do differently here: plain JSON is copied, not walked.  Sends nothing itself.

The resources are in a module for each API, as the SDK loads them: that of Responses alone takes 60 ms.
"""

from __future__ import annotations

from functools import wraps
from inspect import iscoroutinefunction, unwrap
from typing import Any

from chatsheet_llm.templates import template_of


def plain(resource: Any) -> Any:
    """Return the resource's ``create`` so that it copies plain JSON where the SDK would walk it.

    While a request runs, no frame here holds what it says: some traceback printers show every local.
    """
    sdk_s = resource.create

    def begun(self: Any, held: list[dict[str, Any]]) -> Any:
        template = template_of(resource)
        options = None if template is None else template.request(held[-1])
        if template is None or options is None:
            return sdk_s(self, **held.pop())
        stream = bool(held.pop().get("stream"))
        request, cast_to, stream_cls = self._client.request, template.cast_to, template.stream_cls
        held_options, options = [options], None
        return request(cast_to, held_options.pop(), stream=stream, stream_cls=stream_cls)

    @wraps(sdk_s)
    def create(self: Any, **given: Any) -> Any:
        held = [given]
        del given
        return begun(self, held)

    @wraps(sdk_s)
    async def acreate(self: Any, **given: Any) -> Any:
        held = [given]
        del given
        return await begun(self, held)

    return acreate if iscoroutinefunction(unwrap(sdk_s)) else create

"""Keep what an SDK client makes anew of each request and what is the same in nearly all.  Changes no request."""

from __future__ import annotations

from typing import Any, cast

import httpx2
import openai
from openai._utils._json import openapi_dumps

from chatsheet_llm.sdk.requests import FinalRequestOptions

_MOST_KEPT = 256
"""Requests whose parts one client keeps."""
_OF_ONE_REQUEST = frozenset((b"content-length", b"x-stainless-read-timeout", b"cookie"))
"""Headers that each request has anew."""


def hasten(client: object) -> None:
    """Have a client of OpenAI's SDK keep the URL and the headers of its requests: nearly all are the same in each.

    The SDK makes them anew each time, which takes longer than to send the request.  All that they depend on is looked
    at; of requests with a query, a file or raw content nothing is kept.
    """
    if not isinstance(client, (openai.OpenAI, openai.AsyncOpenAI)):
        return
    original = client._build_request
    kept: dict[object, httpx2.Request] = {}

    def build(options: FinalRequestOptions, *, retries_taken: int = 0) -> httpx2.Request:
        body, timeout, headers = options.json_data, options.timeout, options.headers
        unlike = options.params or options.files or options.content or options.extra_json or retries_taken
        if unlike or type(body) is not dict or type(timeout) is not httpx2.Timeout or type(headers) is not dict:
            return original(options, retries_taken=retries_taken)
        # Azure's dated paths name the deployment, and its tokens come with the options.
        key = (options.method, options.url, str(body.get("model")), client.api_key, tuple(headers.items()))
        try:
            like = kept.get(key)
        except TypeError:
            return original(options, retries_taken=retries_taken)
        if like is None:
            if len(kept) >= _MOST_KEPT:
                kept.clear()
            made = original(options, retries_taken=retries_taken)
            like = httpx2.Request(made.method, made.url, headers=made.headers, extensions=made.extensions)
            like.headers = httpx2.Headers([each for each in made.headers.raw if each[0].lower() not in _OF_ONE_REQUEST])
            kept[key] = like
            return made
        content = openapi_dumps(body)
        own = [(b"Content-Length", b"%d" % len(content))]
        if timeout.read is not None:
            own.insert(0, (b"x-stainless-read-timeout", str(timeout.read).encode()))
        made = httpx2.Request(
            like.method,
            like.url,
            headers=[*like.headers.raw, *own],
            content=content,
            extensions={**like.extensions, "timeout": timeout.as_dict()},
        )
        if cookies := client._client.cookies:
            cookies.set_cookie_header(made)
        return made

    cast("Any", client)._build_request = build

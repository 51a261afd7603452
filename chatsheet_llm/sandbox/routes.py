"""Which API of a role a path means.  A table for each role; answers nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from chatsheet_llm.sandbox.bodies import RoleName

APIS = (
    "chat",
    "responses",
    "messages",
    "embeddings",
    "models",
    "stored",
    "count_tokens",
    "model_info",
    "health",
    "other",
)
"""The second half of a hop label.  ``stored`` is ``/responses/ID``; ``other`` is every unknown path."""

READ_ONLY = ("models", "health", "model_info")
"""APIs that are asked with GET; ``stored`` takes several methods, the rest POST."""

_OPENAI = {"/chat/completions": "chat", "/responses": "responses", "/embeddings": "embeddings", "/models": "models"}
_ANTHROPIC = {"/messages": "messages", "/messages/count_tokens": "count_tokens", "/models": "models"}
_DEPLOYMENT = {"/chat/completions": "chat", "/embeddings": "embeddings"}
_AZURE_DATED = {"/responses": "responses", "/models": "models"}
_LITELLM = {**_OPENAI, "/messages": "messages", "/model/info": "model_info"}
_HEALTH = ("/health/liveliness", "/health/liveness", "/health/readiness", "/health")

_AZURE_PATH = re.compile(r"/openai(?P<v1>/v1)?(?P<rest>/.+)")
_DEPLOYMENT_PATH = re.compile(r"/openai/deployments/(?P<name>[^/]+)(?P<rest>/.+)")


def route(role: RoleName, path: str) -> tuple[str, str]:
    """Return the API of a path and its argument: a deployment, a stored response's id, a model, or nothing."""
    found = _DEPLOYMENT_PATH.fullmatch(path)
    if found is not None and role in ("azure", "litellm"):
        return _DEPLOYMENT.get(found["rest"], "other"), unquote(found["name"])
    if role == "azure":
        if path.startswith("/anthropic/v1/"):
            return _in(_ANTHROPIC, path.removeprefix("/anthropic/v1"))
        found = _AZURE_PATH.fullmatch(path)
        return ("other", "") if found is None else _in(_OPENAI if found["v1"] else _AZURE_DATED, found["rest"])
    if role == "litellm":
        if path in _HEALTH:
            return "health", ""
        # its /openai/responses is a pass-through that needs a key of its own
        return ("other", "") if path == "/openai/responses" else _in(_LITELLM, re.sub("^(/openai)?/v1/", "/", path))
    table = _OPENAI if role == "openai" else _ANTHROPIC
    return _in(table, path.removeprefix("/v1")) if path.startswith("/v1/") else ("other", "")


def _in(table: Mapping[str, str], rest: str) -> tuple[str, str]:
    if rest in table:
        return table[rest], ""
    for prefix, api in (("/responses/", "stored"), ("/models/", "models")):
        if rest.startswith(prefix) and prefix.rstrip("/") in table:
            return api, unquote(rest.removeprefix(prefix))
    return "other", ""

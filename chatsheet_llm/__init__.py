"""An ``openai.OpenAI`` whose answers keep coming.  Nothing is loaded until a name is asked for.

``from chatsheet_llm import ChatClient`` and use it where code uses ``openai.OpenAI``.
"""

from __future__ import annotations

from chatsheet_llm._version import __version__

# As typing has it, which is not worth loading for this.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from chatsheet_llm.client import AsyncChatClient as AsyncChatClient
    from chatsheet_llm.client import ChatClient as ChatClient
    from chatsheet_llm.errors import AuthenticationError as AuthenticationError
    from chatsheet_llm.errors import BadRequestError as BadRequestError
    from chatsheet_llm.errors import CallError as CallError
    from chatsheet_llm.errors import CapabilityError as CapabilityError
    from chatsheet_llm.errors import ChatsheetError as ChatsheetError
    from chatsheet_llm.errors import ContentFilteredError as ContentFilteredError
    from chatsheet_llm.errors import ContextLengthError as ContextLengthError
    from chatsheet_llm.errors import DeadlineExceededError as DeadlineExceededError
    from chatsheet_llm.errors import DeploymentNotFoundError as DeploymentNotFoundError
    from chatsheet_llm.errors import GatewayPolicyError as GatewayPolicyError
    from chatsheet_llm.errors import HopConfigError as HopConfigError
    from chatsheet_llm.errors import HopConnectionError as HopConnectionError
    from chatsheet_llm.errors import HopTimeoutError as HopTimeoutError
    from chatsheet_llm.errors import HopUnreachableError as HopUnreachableError
    from chatsheet_llm.errors import InterceptedError as InterceptedError
    from chatsheet_llm.errors import InvalidAnswerError as InvalidAnswerError
    from chatsheet_llm.errors import InvalidRequestError as InvalidRequestError
    from chatsheet_llm.errors import LocalResourceError as LocalResourceError
    from chatsheet_llm.errors import NoEndpointError as NoEndpointError
    from chatsheet_llm.errors import OverloadedError as OverloadedError
    from chatsheet_llm.errors import PermissionDeniedError as PermissionDeniedError
    from chatsheet_llm.errors import ProviderError as ProviderError
    from chatsheet_llm.errors import RateLimitedError as RateLimitedError
    from chatsheet_llm.errors import RequestConflictError as RequestConflictError
    from chatsheet_llm.errors import RequestNotFoundError as RequestNotFoundError
    from chatsheet_llm.errors import RequestTooLargeError as RequestTooLargeError
    from chatsheet_llm.errors import ResponseTooLargeError as ResponseTooLargeError
    from chatsheet_llm.errors import SettingsError as SettingsError
    from chatsheet_llm.errors import StreamInterrupted as StreamInterrupted
    from chatsheet_llm.errors import StreamTruncated as StreamTruncated
    from chatsheet_llm.errors import UnknownModelError as UnknownModelError
    from chatsheet_llm.errors import UnprocessableRequestError as UnprocessableRequestError
    from chatsheet_llm.errors import UnsupportedParameterError as UnsupportedParameterError
    from chatsheet_llm.errors import UnsupportedPathError as UnsupportedPathError
    from chatsheet_llm.learned import Lesson as Lesson
    from chatsheet_llm.restart import Restart as Restart
    from chatsheet_llm.restart import restart_of as restart_of
    from chatsheet_llm.route import Attempt as Attempt
    from chatsheet_llm.route import Loss as Loss
    from chatsheet_llm.route import Route as Route
    from chatsheet_llm.route import Skip as Skip
    from chatsheet_llm.sdk import route_of as route_of
    from chatsheet_llm.settings import Settings as Settings

_HOME: dict[str, str] = {
    "ChatClient": "client",
    "AsyncChatClient": "client",
    "Settings": "settings",
    "route_of": "sdk",
    "Route": "route",
    "Attempt": "route",
    "Skip": "route",
    "Loss": "route",
    "Lesson": "learned",
    "Restart": "restart",
    "restart_of": "restart",
    **dict.fromkeys(
        (
            "AuthenticationError",
            "BadRequestError",
            "CallError",
            "CapabilityError",
            "ChatsheetError",
            "ContentFilteredError",
            "ContextLengthError",
            "DeadlineExceededError",
            "DeploymentNotFoundError",
            "GatewayPolicyError",
            "HopConfigError",
            "HopConnectionError",
            "HopTimeoutError",
            "HopUnreachableError",
            "InterceptedError",
            "InvalidAnswerError",
            "InvalidRequestError",
            "LocalResourceError",
            "NoEndpointError",
            "OverloadedError",
            "PermissionDeniedError",
            "ProviderError",
            "RateLimitedError",
            "RequestConflictError",
            "RequestNotFoundError",
            "RequestTooLargeError",
            "ResponseTooLargeError",
            "SettingsError",
            "StreamInterrupted",
            "StreamTruncated",
            "UnknownModelError",
            "UnprocessableRequestError",
            "UnsupportedParameterError",
            "UnsupportedPathError",
        ),
        "errors",
    ),
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from chatsheet_llm.loading import Loading

    with Loading():
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

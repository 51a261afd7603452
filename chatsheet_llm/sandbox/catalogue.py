"""What each role says in an error, as tables: (status, code) -> body.  Fills in and sends nothing.

Rows are built from documented facts and public reports, not recorded.  ``{model}`` and the like are filled in later.
"""

from __future__ import annotations

from typing import Literal

from chatsheet_llm.sandbox.shapes import Json

RoleName = Literal["litellm", "azure", "openai", "anthropic"]
Row = tuple[int, "str | None"]
"""A status and the CODE that may follow it in a fault; None is what the status means by itself."""


def openai_shape(
    message: str, code: str | None = None, *, kind: str | None = "invalid_request_error", param: str | None = None
) -> Json:
    """The shape of OpenAI, and of Azure where the model itself complains."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def cognitive_shape(code: str, message: str) -> Json:
    """The shape of Azure's front end: no type, no param."""
    return {"error": {"code": code, "message": message}}


_SERVER = "The server had an error while processing your request. Sorry about that! You can retry your request."
_LONG = (
    "This model's maximum context length is 272000 tokens. However, you requested 300000 tokens (299000 in the "
    "messages, 1000 in the completion). Please reduce the length of the messages or completion."
)
_FILTERED: Json = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
        "Please modify your prompt and retry.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": {"filtered": False, "severity": "safe"},
                "jailbreak": {"filtered": False, "detected": False},
                "self_harm": {"filtered": False, "severity": "safe"},
                "sexual": {"filtered": False, "severity": "safe"},
                "violence": {"filtered": True, "severity": "high"},
            },
        },
    }
}
_WRONG_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
_NO_DEPLOYMENT = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
    "please wait a moment and try again."
)
_RATE = (
    "Your requests to {model} for {model} in Sandbox Central have exceeded the token rate limit for your current "
    "AIServices S0 pricing tier. Please retry after {retry} seconds."
)
_SHARED: dict[Row, Json] = {
    (400, "context_length_exceeded"): openai_shape(_LONG, "context_length_exceeded", param="messages"),
    (400, "unsupported_parameter"): openai_shape(
        "Unsupported parameter: '{param}' is not supported with this model.", "unsupported_parameter", param="{param}"
    ),
    (400, "unsupported_value"): openai_shape(
        "Unsupported value: '{param}' does not support 0.1 with this model. Only the default (1) value is supported.",
        "unsupported_value",
        param="{param}",
    ),
    (400, "invalid_encrypted_content"): openai_shape(
        "The encrypted content gAAA... could not be verified.", "invalid_encrypted_content", param="input"
    ),
    (400, "previous_response_not_found"): openai_shape(
        "Previous response with id '{param}' not found.", "previous_response_not_found", param="previous_response_id"
    ),
    (500, None): openai_shape(_SERVER, kind="server_error"),
}

AZURE: dict[Row, Json | str] = {
    **_SHARED,
    (400, "OperationNotSupported"): cognitive_shape(
        "OperationNotSupported",
        "The {operation} operation does not work with the specified model, {model}. Please choose different model and "
        "try again.",
    ),
    (400, "content_filter"): _FILTERED,
    (400, "api-version"): cognitive_shape(
        "BadRequest", "api-version query parameter is not allowed when using /v1 path"
    ),
    (400, "old-version"): cognitive_shape(
        "BadRequest", "Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later"
    ),
    (400, "tools-with-effort"): openai_shape(
        "Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. "
        "Please use /v1/responses instead or set reasoning_effort to 'none'.",
        param="reasoning_effort",
    ),
    (400, "no-stream"): openai_shape(
        "Unsupported value: 'stream' does not support true with this model.", "unsupported_value", param="stream"
    ),
    (400, "model_not_found"): openai_shape(
        "The requested model '-' with deployment name - does not exist.", "model_not_found", param="model"
    ),
    (401, None): cognitive_shape("401", _WRONG_KEY),
    (401, "token"): {
        "statusCode": 401,
        "message": "Unauthorized. Access token is missing, invalid, audience is incorrect "
        "(https://cognitiveservices.azure.com), or have expired.",
    },
    (401, "PermissionDenied"): cognitive_shape("PermissionDenied", "Principal does not have access to API/Operation."),
    (401, "subscription"): {
        "statusCode": 401,
        "message": "Access denied due to missing subscription key. Make sure to include subscription key when making "
        "requests to an API.",
    },
    (403, None): cognitive_shape("403", "Access denied due to Virtual Network/Firewall rules."),
    (403, "firewall"): cognitive_shape("403", "Access denied due to Virtual Network/Firewall rules."),
    (403, "public-access"): cognitive_shape("403", "Public access is disabled. Please configure private endpoint."),
    (403, "vnet"): cognitive_shape(
        "403",
        "A Virtual Network is configured for this resource. Please use the correct endpoint for making requests. "
        "Check https://aka.ms/cogsvc-vnet for more details.",
    ),
    (403, "suspended"): cognitive_shape(
        "403", "This resource has been temporarily blocked because of behavior that may violate the terms."
    ),
    (403, "AuthenticationTypeDisabled"): cognitive_shape(
        "AuthenticationTypeDisabled", "Key based authentication is disabled for this resource."
    ),
    (404, None): cognitive_shape("404", "Resource not found"),
    (404, "DeploymentNotFound"): cognitive_shape("DeploymentNotFound", _NO_DEPLOYMENT),
    (408, None): cognitive_shape("Timeout", "The operation was timeout."),
    (429, None): cognitive_shape("429", _RATE),
    (429, "RateLimitReached"): cognitive_shape(
        "RateLimitReached", "Your requests to {model} for {model} in Sandbox Central have exceeded rate limit."
    ),
    (429, "capacity"): cognitive_shape(
        "429",
        "The service is temporarily unable to process your request. Your request exceeds the maximum usage size "
        "allowed during peak load. Please retry after {retry} seconds.",
    ),
}
OPENAI: dict[Row, Json | str] = {
    **_SHARED,
    (400, "content_filter"): openai_shape(
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "invalid_prompt"
    ),
    (401, None): openai_shape(
        "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys.",
        "invalid_api_key",
    ),
    (404, None): openai_shape("Invalid URL ({operation})"),
    (404, "model_not_found"): openai_shape(
        "The model `{model}` does not exist or you do not have access to it.", "model_not_found"
    ),
    (429, None): openai_shape(
        "Rate limit reached for {model} in organization org-sandbox on tokens per min (TPM). Please try again in "
        "{retry}s.",
        "rate_limit_exceeded",
        kind="tokens",
    ),
    (429, "insufficient_quota"): openai_shape(
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        kind="insufficient_quota",
    ),
    (503, None): "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
}
GATEWAY: dict[Row, Json | str] = {
    (400, None): openai_shape("/chat/completions: Invalid request.", "400"),
    (400, "model"): openai_shape(
        "{operation}: Invalid model name passed in model={model}. Call `/v1/models` to view available models for your "
        "key.",
        "400",
    ),
    (400, "no_db_connection"): openai_shape("No connected db.", "400", kind="no_db_connection"),
    (400, "budget_exceeded"): openai_shape(
        "Budget has been exceeded! Current cost: 1.2, Max budget: 1.0", "400", kind="budget_exceeded"
    ),
    (401, None): openai_shape(
        "Authentication Error, Invalid proxy server token passed. Received API Key = {key}, Key Hash (Token) ={hash}. "
        "Unable to find token in cache or `LiteLLM_VerificationTokenTable`",
        "401",
        kind="token_not_found_in_db",
        param="key",
    ),
    (401, "no-key"): openai_shape("Authentication Error, No api key passed in.", "401", kind="auth_error"),
    (403, "key_model_access_denied"): openai_shape(
        "key not allowed to access model. This key can only access models=['other']. Tried to access {model}",
        "403",
        kind="key_model_access_denied",
        param="model",
    ),
    (404, None): {"detail": "Not Found"},
    (405, None): {"detail": "Method Not Allowed"},
    (429, "all_deployments_in_cooldown"): openai_shape(
        "No deployments available for selected model, Try again in 5 seconds. Passed model={model}. "
        "pre-call-checks=False, cooldown_list=['sandbox']",
        "429",
        kind="all_deployments_in_cooldown",
    ),
    (500, "text"): "Internal Server Error",
}
"""What the proxy says on its own account.  Every other status is Azure's body, wrapped as the proxy wraps it."""
ANTHROPIC: dict[Row, Json | str] = {
    (400, "context_length_exceeded"): openai_shape("prompt is too long: 200016 tokens > 200000 maximum"),
    (400, "billing"): openai_shape("Your credit balance is too low to access the Anthropic API."),
    (401, None): openai_shape("invalid x-api-key", kind="authentication_error"),
    (404, None): openai_shape("Not found", kind="not_found_error"),
    (404, "model"): openai_shape("model: {model}", kind="not_found_error"),
    (429, None): openai_shape(
        "This request would exceed your organization's rate limit of 1,000 input tokens per minute (model: {model}).",
        kind="rate_limit_error",
    ),
    (429, "enforced_spend_limit_reached"): {
        "error": {
            "message": "Your organization has reached its spend limit for this month.",
            "type": "rate_limit_error",
            "details": {"error_code": "enforced_spend_limit_reached"},
        }
    },
    (529, None): openai_shape("Overloaded", kind="overloaded_error"),
}
TABLES: dict[RoleName, dict[Row, Json | str]] = {
    "azure": AZURE,
    "openai": OPENAI,
    "litellm": GATEWAY,
    "anthropic": ANTHROPIC,
}

"""The error tree: what ``except openai.…`` catches, what an error holds, and that it can be stored without secrets."""

from __future__ import annotations

import copy
import inspect
import pickle
import traceback
from datetime import datetime, timedelta, timezone

import openai
import pytest

import chatsheet_llm
from chatsheet_llm import errors, report
from chatsheet_llm.classify import Failure, classify_reply
from chatsheet_llm.route import Attempt, Route

CALL_ERRORS = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.CallError)]
PLAIN_ERRORS: list[type[errors.SettingsError | errors.UnsupportedPathError]] = [
    errors.SettingsError,
    errors.NoEndpointError,
    errors.UnsupportedPathError,
]
EVERY: list[type[errors.ChatsheetError]] = [errors.ChatsheetError, *CALL_ERRORS, *PLAIN_ERRORS]

ALSO: dict[type[Exception], tuple[type[Exception], ...]] = {
    errors.ChatsheetError: (openai.OpenAIError,),
    errors.SettingsError: (ValueError,),
    errors.CallError: (openai.APIError,),
    errors.InvalidRequestError: (openai.APIStatusError,),
    errors.BadRequestError: (openai.BadRequestError,),
    errors.ContextLengthError: (openai.BadRequestError,),
    errors.UnsupportedParameterError: (openai.BadRequestError,),
    errors.RequestNotFoundError: (openai.NotFoundError,),
    errors.RequestConflictError: (openai.ConflictError,),
    errors.RequestTooLargeError: (openai.APIStatusError,),
    errors.UnprocessableRequestError: (openai.UnprocessableEntityError,),
    errors.ContentFilteredError: (openai.BadRequestError,),
    errors.GatewayPolicyError: (openai.APIStatusError,),
    errors.AuthenticationError: (openai.AuthenticationError, errors.HopConfigError),
    errors.PermissionDeniedError: (openai.PermissionDeniedError, errors.HopConfigError),
    errors.DeploymentNotFoundError: (openai.NotFoundError, errors.HopConfigError),
    errors.CapabilityError: (openai.BadRequestError, errors.HopConfigError),
    errors.HopUnreachableError: (openai.APIConnectionError, errors.HopConfigError),
    errors.RateLimitedError: (openai.RateLimitError,),
    errors.OverloadedError: (openai.InternalServerError,),
    errors.ProviderError: (openai.InternalServerError,),
    errors.HopConnectionError: (openai.APIConnectionError,),
    errors.HopTimeoutError: (openai.APITimeoutError, errors.HopConnectionError),
    errors.InvalidAnswerError: (openai.APIResponseValidationError,),
    errors.LocalResourceError: (openai.APIConnectionError,),
    errors.DeadlineExceededError: (openai.APITimeoutError, TimeoutError),
    errors.StreamInterrupted: (openai.APIConnectionError,),
    errors.StreamTruncated: (errors.StreamInterrupted,),
}

ROUTE = Route(
    (Attempt("azure/chat", "azure", "chat", "gpt-5", "rule", "rate", "rejected", 429, retry_after=3.0),),
    seconds=0.1,
    retry_at=datetime.now(timezone.utc) + timedelta(seconds=3),
)


def made(cls: type[errors.CallError]) -> errors.CallError:
    return cls(
        "it failed",
        route=ROUTE,
        status=429,
        headers={"retry-after": "3"},
        body={"message": "slow", "code": "x"},
        code="x",
        param="model",
        type="t",
        request_id="r-1",
    )


@pytest.mark.parametrize(("cls", "parents"), ALSO.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_code_written_for_the_sdk_catches_ours(cls: type[Exception], parents: tuple[type[Exception], ...]) -> None:
    assert all(issubclass(cls, parent) for parent in parents)
    assert issubclass(cls, errors.ChatsheetError)


def test_the_drawing_shows_every_class() -> None:
    assert errors.__doc__ is not None
    assert [cls.__name__ for cls in EVERY if cls.__name__ not in errors.__doc__] == []


def test_every_error_can_be_imported_from_the_package() -> None:
    assert [cls.__name__ for cls in EVERY if getattr(chatsheet_llm, cls.__name__, None) is not cls] == []


@pytest.mark.parametrize("cls", CALL_ERRORS, ids=lambda cls: cls.__name__)
def test_a_call_error_holds_what_the_sdk_s_errors_hold(cls: type[errors.CallError]) -> None:
    error = made(cls)

    assert str(error) == error.message == "it failed"
    assert (error.code, error.param, error.type, error.request_id) == ("x", "model", "t", "r-1")
    assert error.status_code == 429
    assert error.body == {"message": "slow", "code": "x"}
    assert error.response.status_code == 429
    assert error.response.json() == {"error": error.body}
    assert error.response.headers["retry-after"] == "3"
    assert error.retry_at == ROUTE.retry_at
    assert chatsheet_llm.route_of(error) is error.route


@pytest.mark.parametrize("cls", CALL_ERRORS, ids=lambda cls: cls.__name__)
def test_a_call_error_survives_pickle_and_copy(cls: type[errors.CallError]) -> None:
    error = made(cls)
    if isinstance(error, errors.StreamInterrupted):
        error.partial = "so far"

    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is cls
        assert str(twin) == str(error)
        assert twin.route == error.route
        assert twin.body == error.body
        assert twin.status_code == 429
        assert twin.response.json() == {"error": error.body}
        assert getattr(twin, "partial", None) == getattr(error, "partial", None)


@pytest.mark.parametrize("cls", PLAIN_ERRORS, ids=lambda cls: cls.__name__)
def test_other_errors_survive_pickle_too(cls: type[errors.SettingsError]) -> None:
    twin = pickle.loads(pickle.dumps(cls("set X")))

    assert type(twin) is cls
    assert str(twin) == "set X"
    assert twin.route == Route()


@pytest.mark.parametrize("body", [None, "", "text", b"bytes", {}, {"message": "x"}, [1, 2]], ids=repr)
def test_any_body_can_be_held(body: object) -> None:
    error = errors.CallError("x", body=body)

    assert error.body == body
    assert pickle.loads(pickle.dumps(error)).body == body


def test_an_error_without_an_answer_has_no_status_but_a_response_to_look_at() -> None:
    error = errors.HopConnectionError("gone")

    assert error.status_code is None
    assert error.response.status_code == 400
    assert error.retry_at is None


def test_a_planted_key_is_in_no_form_of_an_error() -> None:
    key = "sk-planted-7f3a9c1d2e4b"
    raw = f'{{"error": {{"message": "Received API Key = {key}, wrong", "code": "401"}}}}'
    failure = classify_reply(401, {"authorization": f"Bearer {key}", "x-request-id": "r"}, raw.encode())
    error = report.error_for(failure, ROUTE)

    try:
        raise error
    except errors.AuthenticationError:
        told = traceback.format_exc()
    shown = [str(error), repr(error), told, repr(vars(error)), repr(error.response.headers), error.response.text]

    assert not [form for form in shown if "7f3a9c1d2e4b" in form]
    assert b"7f3a9c1d2e4b" not in pickle.dumps(error)


@pytest.mark.parametrize("fault", ["rate", "deployment", "deadline"])
def test_the_message_says_what_happened_what_to_do_and_what_was_tried(fault: str) -> None:
    message = str(report.error_for(Failure(fault, "rejected", 429, message="Said the provider."), ROUTE))

    assert "Said the provider" in message
    assert report.ADVICE.get(fault, "") in message
    assert "[azure/chat 429" in message


def test_a_stream_without_its_end_is_truncated_and_others_are_interrupted() -> None:
    truncated = report.interrupted(Failure("truncated", "committed", 200), ROUTE, "so far")
    reset = report.interrupted(Failure("reset", "committed", 200), ROUTE, "so far")

    assert type(truncated) is errors.StreamTruncated
    assert type(reset) is errors.StreamInterrupted
    assert truncated.partial == reset.partial == "so far"

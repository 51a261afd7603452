"""Settings: how each mistake is reported, by the name under which the value was given."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from settings_samples import HTTP, ONE_LINE, SECONDS, nothing_set, problems, set_all

from chatsheet_llm import AsyncChatClient, ChatClient
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.settings import Settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing_set(monkeypatch, tmp_path)


MISTAKES = [
    ("CHATSHEET_DEADLINE", "-1", f"{SECONDS} (got -1)"),
    ("CHATSHEET_DEADLINE", "0", f"{SECONDS} (got 0)"),
    ("CHATSHEET_DEADLINE", "nan", f"{SECONDS} (got nan)"),
    ("CHATSHEET_DEADLINE", "inf", f"{SECONDS} (got inf)"),
    ("CHATSHEET_CONNECT_TIMEOUT", "5s", f"{SECONDS} (got 5s)"),
    ("CHATSHEET_IDLE_TIMEOUT", "x" * 99, f"{SECONDS} (got {'x' * 37}...)"),
    ("CHATSHEET_MAX_SENDS", "0", "must be a whole number of at least 1 (got 0)"),
    ("CHATSHEET_MAX_SENDS", "1.5", "must be a whole number of at least 1 (got 1.5)"),
    ("CHATSHEET_MAX_RETRIES", "-1", "must be a whole number of at least 0 (got -1)"),
    ("CHATSHEET_ON_LOSS", "warn", "must be error or drop (got warn)"),
    ("CHATSHEET_CHAIN", ",", "names no hop; list at least one, as in litellm,azure/responses,azure/chat"),
    ("CHATSHEET_CHAIN", "azure/chatt", "hop 'azure/chatt': 'chatt' is not a mode; use chat, responses or messages"),
    ("CHATSHEET_CHAIN", "[azure", "is not valid JSON"),
    ("CHATSHEET_PROXY", "proxy:3128", HTTP),
    ("CHATSHEET_STATE_URL", "http://hush", "must be a URL with a host that starts with redis:// or rediss://"),
    ("CHATSHEET_STATE_URL", "redis://h/0?ssl_cert_reqs=none", "takes the number of a database after the host and"),
    ("CHATSHEET_STATE_URL", "redis://h/hush", "takes the number of a database after the host and"),
    ("MODEL_CONFIG_PATH", "x.yaml", "there is no file 'x.yaml'; correct the path or unset it"),
    ("LITELLM_PROXY_API_BASE", "litellm:4000", HTTP),
    ("AZURE_BASE_URL", "https://u:hush@host", "holds a user name or password; remove them and set the API key instead"),
    ("AZURE_API_KEY", "hush\nhush", ONE_LINE),
    ("LITELLM_PROXY_API_KEY", "hush\u00e9", "holds a character that is not ASCII; copy the value again"),
    ("AZURE_OPENAI_AD_TOKEN", "Bearer hush", "starts with 'Bearer'; give the key alone"),
    ("OPENAI_API_KEY", '"hush"', "is wrapped in quotes, which would be sent as a part of it; remove them"),
    ("AZURE_API_VERSION", "v\u00e91", "holds a character that is not ASCII; copy the value again"),
    ("AZURE_DEPLOYMENT", "a\x00b", ONE_LINE),
    ("ANTHROPIC_FOUNDRY_RESOURCE", "my.resource", "must be the name of a resource, as in my-resource, or a URL that"),
    ("ANTHROPIC_FOUNDRY_BASE_URL", "ftp://x", HTTP),
    ("CHATSHEET_ENDPOINTS__EU__API_KEY", "hush\u00e9", "holds a character that is not ASCII; copy the value again"),
    ("CHATSHEET_ENDPOINTS__EU__MODES", "voice", "'voice' is not a mode; use chat, responses or messages"),
    ("CHATSHEET_ENDPOINTS__EU__KEY_HEADER", "x", "must be 'api-key' or 'bearer'"),
    ("CHATSHEET_ENDPOINTS__EU__HEADERS", "hush", "is not valid JSON"),
    ("CHATSHEET_ENDPOINTS__EU__HEADERS", "[1]", 'must map header names to values, as in {"Ocp-Apim'),
    ("CHATSHEET_ENDPOINTS__EU__HEADERS__X_KEY", "hush\u00e9", "header 'X-KEY' holds a character that is not ASCII"),
    ("CHATSHEET_ENDPOINTS__EU__BASE_URLL", "x", "unknown field 'base_urll'; did you mean 'base_url'? allowed: ad_"),
    ("CHATSHEET_ENDPOINTS__EU", "x", "is no setting; write CHATSHEET_ENDPOINTS__NAME__FIELD"),
    ("CHATSHEET_ENDPOINTS_EU_KEY", "x", "is no setting; write CHATSHEET_ENDPOINTS__NAME__FIELD"),
    ("CHATSHEET_ENDPOINTS", "{}", "is no setting; write CHATSHEET_ENDPOINTS__NAME__FIELD"),
    ("CHATSHEET_ENDPOINTS____API_KEY", "x", "is no setting; write CHATSHEET_ENDPOINTS__NAME__FIELD"),
    ("CHATSHEET_ENDPOINTS__AZURE__KIND", "openai", "an endpoint called 'azure' is of that kind"),
]


@pytest.mark.parametrize(("name", "value", "said"), MISTAKES, ids=[f"{n}={v[:9]!r}" for n, v, _ in MISTAKES])
def test_a_mistake_is_reported_by_the_variable_that_holds_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    label = name
    if "\x00" in value:
        Path(".env").write_text(f"{name}={value}\n")
        label = f"{name} (in .env)"
    else:
        monkeypatch.setenv(name, value)

    found = problems()

    assert len(found) == 1
    assert found[0].startswith(f"{label}: ")
    assert said in found[0]
    assert "hush" not in found[0]


def test_all_mistakes_are_reported_in_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, CHATSHEET_DEADLINE="-1", AZURE_API_KEY="a\nb", CHATSHEET_ENDPOINTS__EU__X="1")

    assert [line.partition(":")[0] for line in problems(max_sends=0)] == [
        "CHATSHEET_ENDPOINTS__EU__X",
        "AZURE_API_KEY",
        "CHATSHEET_DEADLINE",
        "Settings(max_sends=...)",
    ]


def test_an_argument_is_blamed_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, CHATSHEET_DEADLINE="5", CHATSHEET_ENDPOINTS__EU__LABEL="x")

    assert problems(deadline=-1, dedline=3, endpoints={"eu": {"label": "a\nb", "labl": "x"}, "us": 3}) == [
        f"Settings(deadline=...): {SECONDS} (got -1)",
        f"Settings(endpoints['eu'].label): {ONE_LINE}",
        "Settings(endpoints['eu'].labl): unknown field 'labl'; did you mean 'label'? allowed: "
        + ", ".join(sorted(EndpointSettings.model_fields)),
        "Settings(endpoints['us']): must be a mapping of fields, or EndpointSettings",
        "Settings(dedline=...): unknown field 'dedline'; did you mean 'deadline'? allowed: "
        + ", ".join(sorted(Settings.model_fields)),
    ]


def test_a_mistake_in_an_env_file_is_reported_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATSHEET_MAX_SENDS", "0")
    Path("one.env").write_text("CHATSHEET_DEADLINE=x\nCHATSHEET_ENDPOINTS__EU__LABL=x\nCHATSHEET_MAX_SENDS=x\n")
    Path("two.env").write_text("CHATSHEET_DEADLINE=soon\n")

    assert [line.partition(":")[0] for line in problems(_env_file=["one.env", "two.env"])] == [
        "CHATSHEET_ENDPOINTS__EU__LABL (in one.env)",
        "CHATSHEET_DEADLINE (in two.env)",
        "CHATSHEET_MAX_SENDS",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CHATSHEET_DEADLIN", "is no setting and has no effect; did you mean CHATSHEET_DEADLINE?"),
        ("chatsheet_max_send", "is no setting and has no effect; did you mean CHATSHEET_MAX_SENDS?"),
        ("CHATSHEET_ENDPOINT__EU__KIND", "is no setting and has no effect; did you mean CHATSHEET_ENDPOINTS?"),
        ("CHATSHEET_TIMEOUT", "is no setting and has no effect; CHATSHEET_DEADLINE bounds a whole call; CHATSHEET_"),
    ],
)
@pytest.mark.parametrize("file", ["", ".env"])
def test_a_variable_that_is_no_setting_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, name: str, said: str, file: str
) -> None:
    if file:
        Path(file).write_text(f"{name}=3\n")
    else:
        monkeypatch.setenv(name, "3")

    with pytest.warns(UserWarning, match="no setting") as told:
        Settings()

    assert len(told) == 1
    assert str(told[0].message).startswith(f"{name} (in {file}) {said}" if file else f"{name} {said}")


def test_variables_of_another_program_with_our_prefix_are_only_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "chatsheet_llm")
    set_all(monkeypatch, CHATSHEET_PORT="1", CHATSHEET_DATABASE_URL="u", CHATSHEET_RECORD_MODE="none")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Settings()

    assert caplog.messages == ["CHATSHEET_PORT, CHATSHEET_DATABASE_URL: no setting of chatsheet_llm is called so"]


@pytest.mark.parametrize("make", [Settings, ChatClient, AsyncChatClient])
def test_a_warning_points_at_the_caller_s_line(monkeypatch: pytest.MonkeyPatch, make: Callable[[], object]) -> None:
    set_all(monkeypatch, LITELLM_BASE_URL="http://one.test", CHATSHEET_TIMEOUT="3")

    with pytest.warns(UserWarning, match="CHATSHEET_TIMEOUT") as told:
        make()

    assert [warning.filename for warning in told] == [__file__]

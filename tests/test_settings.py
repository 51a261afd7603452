"""Settings: where each value comes from, and which texts and copies show none of the secrets."""

from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr
from settings_samples import AZURE, DEFAULTS, LITELLM, SAMPLES, nothing_set, problems, set_all

import chatsheet_llm
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.settings import Settings
from chatsheet_llm.variables import VARIABLES


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing_set(monkeypatch, tmp_path)


NAMES = [(field, name) for field, names in VARIABLES.items() for name in names]


def test_every_field_has_its_variables_and_a_sample() -> None:
    assert set(VARIABLES) | {"endpoints"} == set(Settings.model_fields)
    assert set(SAMPLES) == set(VARIABLES)


def test_the_variables_are_the_ones_people_already_have() -> None:
    assert [names for names in VARIABLES.values() if len(names) > 1] == [
        ("LITELLM_BASE_URL", "LITELLM_PROXY_API_BASE"),
        ("LITELLM_API_KEY", "LITELLM_PROXY_API_KEY"),
        ("AZURE_OPENAI_ENDPOINT", "AZURE_BASE_URL"),
        ("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
        ("AZURE_OPENAI_DEPLOYMENT", "AZURE_DEPLOYMENT"),
        ("OPENAI_API_VERSION", "AZURE_API_VERSION"),
        ("ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL"),
        ("CHATSHEET_MODELS_FILE", "MODEL_CONFIG_PATH"),
    ]


def test_without_variables_the_defaults_hold() -> None:
    settings = Settings()

    assert {name: getattr(settings, name) for name in VARIABLES} == {**dict.fromkeys(VARIABLES), **DEFAULTS}
    assert settings.endpoints == {}
    assert list(settings.registry) == []


@pytest.mark.parametrize(("field", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_variable_sets_its_field(monkeypatch: pytest.MonkeyPatch, field: str, name: str) -> None:
    Path("my.yaml").touch()
    written, value = SAMPLES[field]
    monkeypatch.setenv(name, f"  {written} ")

    assert getattr(Settings(), field) == value


@pytest.mark.parametrize(("field", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_line_of_the_env_file_sets_its_field(field: str, name: str) -> None:
    Path("my.yaml").touch()
    written, value = SAMPLES[field]
    Path(".env").write_text(f"export {name}={written}\n")

    assert getattr(Settings(), field) == value


@pytest.mark.parametrize("field", SAMPLES)
def test_an_argument_sets_its_field(field: str) -> None:
    Path("my.yaml").touch()
    written, value = SAMPLES[field]

    assert getattr(Settings(**{field: written}), field) == value
    assert getattr(Settings(**{field: value}), field) == value  # type: ignore[arg-type]


def test_arguments_beat_the_environment_and_that_beats_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("CHATSHEET_DEADLINE=1\nCHATSHEET_MAX_SENDS=1\nCHATSHEET_MAX_RETRIES=1\n")
    set_all(monkeypatch, CHATSHEET_DEADLINE="2", CHATSHEET_MAX_SENDS="2")

    settings = Settings(deadline=3)

    assert (settings.deadline, settings.max_sends, settings.max_retries) == (3, 2, 1)


def test_the_standard_name_wins_over_its_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, AZURE_API_KEY="alias", AZURE_OPENAI_API_KEY="standard")

    assert Settings().azure_openai_api_key == SecretStr("standard")


def test_an_alias_in_the_environment_beats_the_standard_name_in_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("AZURE_OPENAI_API_KEY=file\n")
    monkeypatch.setenv("AZURE_API_KEY", "environment")

    assert Settings().azure_openai_api_key == SecretStr("environment")


def test_case_of_a_variable_does_not_matter_but_upper_case_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("chatsheet_deadline", "7")
    assert Settings().deadline == 7

    monkeypatch.setenv("CHATSHEET_DEADLINE", "8")
    assert Settings().deadline == 8


@pytest.mark.parametrize("empty", ["", "   ", "\t"])
def test_an_empty_value_counts_as_not_set_wherever_it_stands(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    Path(".env").write_text("AZURE_API_KEY=file\nCHATSHEET_DEADLINE=\n")
    set_all(monkeypatch, AZURE_OPENAI_API_KEY=empty, CHATSHEET_DEADLINE=empty, CHATSHEET_ENDPOINTS__EU__API_KEY=empty)

    settings = Settings(azure_openai_api_key=empty, on_loss=empty, endpoints={"eu": {"kind": "azure", "label": empty}})

    assert settings.azure_openai_api_key == SecretStr("file")
    assert (settings.deadline, settings.on_loss) == (120, "error")
    assert settings.endpoints["eu"] == EndpointSettings(kind="azure")


def test_none_as_an_argument_unsets_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")

    assert Settings(openai_api_key=None).openai_api_key is None


def test_the_env_file_can_be_another_or_several_or_none() -> None:
    Path(".env").write_text("CHATSHEET_DEADLINE=1\n")
    Path("a.env").write_bytes(b"\xef\xbb\xbfCHATSHEET_DEADLINE=2\r\nCHATSHEET_MAX_SENDS=2\r\n")
    Path("b.env").write_text("CHATSHEET_DEADLINE=3\n")

    assert Settings(_env_file=None).deadline == 120
    assert Settings(_env_file="a.env").deadline == 2
    assert Settings(_env_file=[Path("a.env"), "b.env"]).deadline == 3
    assert Settings(_env_file=[Path("a.env"), "b.env"]).max_sends == 2


def test_an_env_file_that_was_asked_for_must_exist() -> None:
    assert problems(_env_file="x.env") == ["Settings(_env_file=...): there is no file 'x.env'; correct the path"]


def test_an_env_file_in_another_encoding_is_named() -> None:
    Path(".env").write_bytes(b"CHATSHEET_CHAIN=\xff\n")

    assert problems() == [".env: is not UTF-8 text; save it as UTF-8"]


def test_a_directory_called_env_is_no_env_file() -> None:
    Path(".env").mkdir()

    assert Settings().deadline == 120


@pytest.mark.parametrize("written", ["a, b/chat ,", '["a", "b/chat"]'])
def test_the_chain_is_names_with_commas_or_json(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("CHATSHEET_CHAIN", written)

    assert Settings().chain == ("a", "b/chat")


# --- secrets

SECRETS = {
    "litellm_api_key": "hush-1",
    "azure_openai_api_key": "hush-2",
    "azure_openai_ad_token": "hush-3",
    "openai_api_key": "hush-4",
    "anthropic_api_key": "hush-5",
    "anthropic_foundry_api_key": "hush-10",
    "proxy": "http://u:hush-6@proxy:1",
    "state_url": "redis://u:hush-11@redis:1",
    "endpoints": {
        "eu": {"kind": "azure", "api_key": "hush-7", "ad_token": "hush-8", "headers": {"h": "hush-9"}, "label": "x"}
    },
}


def test_no_secret_shows_in_any_text_of_the_settings() -> None:
    settings = Settings(azure_openai_endpoint=AZURE, litellm_base_url=LITELLM, **SECRETS)  # type: ignore[arg-type]
    texts = [settings, settings.resolved_endpoints(), settings.unconfigured(), settings.model_dump(), settings.registry]

    assert "hush" not in "".join(f"{text!r} {text}" for text in texts)
    assert "hush" not in settings.model_dump_json()


def test_settings_survive_pickle_and_copy() -> None:
    Path("models.yaml").write_text("models: {a: {api_model: x}}\n")
    settings = Settings(azure_openai_endpoint=AZURE, **SECRETS)  # type: ignore[arg-type]

    for again in (pickle.loads(pickle.dumps(settings)), copy.copy(settings), copy.deepcopy(settings)):
        assert again == settings
        assert again.resolved_endpoints() == settings.resolved_endpoints()
        assert [spec.alias for spec in again.registry] == ["a"]
        assert "hush" not in repr(again)


def test_settings_cannot_be_changed() -> None:
    settings = Settings()

    with pytest.raises(ValueError):
        settings.deadline = 3


def test_no_secret_shows_in_a_traceback_with_locals(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(
        monkeypatch, AZURE_API_KEY="hush\u00e9", LITELLM_API_KEY="hush-good", CHATSHEET_ENDPOINTS__EU__API_KEY="hush"
    )

    with pytest.raises(SettingsError) as caught:
        Settings(openai_api_key="hush-argument", anthropic_api_key="hush\u00e9")

    error = caught.value
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in shown.stack if Path(frame.filename).parent == Path(chatsheet_llm.__file__).parent]
    assert ours
    assert "hush" not in "".join(map(str, (frame.locals for frame in ours)))
    assert (error.__cause__, error.__context__) == (None, None)

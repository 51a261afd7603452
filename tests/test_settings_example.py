"""settings.example.env: it has every variable, and loads as it is and with every line switched on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from settings_samples import DEFAULTS, nothing_set

from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.settings import Settings
from chatsheet_llm.variables import VARIABLES


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing_set(monkeypatch, tmp_path)


EXAMPLE = Path(__file__).resolve().parents[1] / "settings.example.env"
LINES = EXAMPLE.read_text(encoding="utf-8").splitlines()
SET = re.compile(r"(?P<off># )?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)")


def test_the_example_has_every_variable_its_alias_and_a_comment() -> None:
    comments = {found["name"]: LINES[at - 1] for at, line in enumerate(LINES) if (found := SET.fullmatch(line))}

    for standard, *aliases in VARIABLES.values():
        assert comments[standard].startswith("# ")
        assert not SET.fullmatch(comments[standard])
        for alias in aliases:
            assert f"(alias {alias})" in comments[standard]
    for field in EndpointSettings.model_fields:
        assert comments[f"CHATSHEET_ENDPOINTS__AZURE_EU__{field.upper()}"].startswith("# ")


def test_the_example_names_no_variable_that_is_not_ours() -> None:
    names = [found["name"] for line in LINES if (found := SET.fullmatch(line))]
    mentioned = re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", "\n".join(LINES))
    ours = {name for names in VARIABLES.values() for name in names}

    assert len(names) == len(set(names))
    assert {name for name in names if not name.startswith("CHATSHEET_ENDPOINTS__AZURE_EU__")} <= ours
    assert {name for name in mentioned if not name.startswith("CHATSHEET_ENDPOINTS__")} == ours


def test_the_example_loads_as_it_is() -> None:
    settings = Settings(_env_file=EXAMPLE)

    assert settings == Settings()


def test_the_example_loads_with_every_line_switched_on_and_shows_the_defaults() -> None:
    Path("models.yaml").touch()
    Path("on.env").write_text("\n".join(line.removeprefix("# ") if SET.fullmatch(line) else "" for line in LINES))

    settings = Settings(_env_file="on.env")

    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert settings.endpoints["azure_eu"].modes == ("responses", "chat")
    assert settings.endpoints["azure_eu"].headers == {"X-Team": SecretStr("search")}


def test_a_first_user_has_only_the_proxy_and_the_resource_to_fill_in() -> None:
    switched_on = [found["name"] for line in LINES if (found := SET.fullmatch(line)) and not found["off"]]

    assert switched_on == ["LITELLM_BASE_URL", "LITELLM_API_KEY", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"]

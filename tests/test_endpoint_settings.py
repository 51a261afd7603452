"""The settings of one endpoint by themselves: what is refused, and what is shown."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from chatsheet_llm.endpoint_settings import EndpointSettings


def test_an_unknown_endpoint_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="base_urll"):
        EndpointSettings.model_validate({"kind": "azure", "base_urll": "x"})


def test_an_endpoint_shows_no_secret() -> None:
    endpoint = EndpointSettings.model_validate(
        {"kind": "azure", "api_key": "hush", "ad_token": "hush", "proxy": "http://u:hush@h", "headers": {"h": "hush"}}
    )

    assert "hush" not in f"{endpoint!r} {endpoint} {endpoint.model_dump()} {endpoint.model_dump_json()}"
    with pytest.raises(ValidationError) as caught:
        EndpointSettings.model_validate({"api_key": "hush\x00hush"})
    assert "hush" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "url",
    [
        "https://my-resource.openai.azure.com",
        "http://localhost:4000/v1/",
        "https://[::1]:8443/openai/v1/",
        "https://xn--bcher-kva.example",
    ],
)
def test_a_url_with_a_host_is_taken_as_it_is(url: str) -> None:
    assert EndpointSettings(base_url=f"  {url}\n").base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "my-resource.openai.azure.com",
        "localhost:4000",
        "https://",
        "https:///path",
        "https://:443",
        "ftp://example.com",
        "https://host:port",
        "https://host:99999",
        "https://host:0",
        "https://[::1",
        "https://user@host",
        "https://user:pass@host",
        "https://<your-resource>.openai.azure.com",
        "https://{resource}.openai.azure.com",
        "https://host/a b",
        "https://host\\@evil.example",
        "https://b\u00fccher.example",
        "https://host/\u200b",
        "https://host/openai/v1?api-version=preview",
        "https://host/#fragment",
        '"https://host"',
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        EndpointSettings(base_url=url)


@pytest.mark.parametrize("key", ['"abc"', "'abc'", "Bearer abc", "a\nb", "a\tb", "a\x7fb", "k\u00e9y", "a\u200bb"])
def test_a_key_that_would_not_survive_a_header_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        EndpointSettings(api_key=SecretStr(key))

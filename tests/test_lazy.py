"""``import chatsheet_llm`` is free: no SDK, no socket, no file of the user's.  Looked at in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import chatsheet_llm

HEAVY = ("openai", "anthropic", "httpx", "httpx2", "httpcore2", "pydantic", "pydantic_settings", "tenacity", "yaml")

WATCH = """
import json, sys
events = []
sys.addaudithook(lambda name, args: events.append([name, repr(args)]) if name.startswith("socket.") else None)
{code}
print(json.dumps({{"modules": sorted(sys.modules), "sockets": events}}))
"""


def after(code: str) -> dict[str, list[str]]:
    """The modules that are loaded and the sockets that were touched once the code has run."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH.format(code=code)], capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def loaded(code: str) -> set[str]:
    return {name.partition(".")[0] for name in after(code)["modules"]}


def test_importing_the_package_loads_no_sdk_and_opens_no_socket() -> None:
    found = after("import chatsheet_llm")

    assert {name.partition(".")[0] for name in found["modules"]}.isdisjoint(HEAVY)
    assert found["sockets"] == []


def test_importing_the_package_loads_one_module_beside_it_and_none_of_python_s() -> None:
    code = "before = set(sys.modules); import chatsheet_llm; print(sorted(set(sys.modules) - before - {'__future__'}))"
    done = subprocess.run([sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['chatsheet_llm', 'chatsheet_llm._version']"


def test_looking_at_the_package_loads_nothing_either() -> None:
    assert loaded("import chatsheet_llm; dir(chatsheet_llm); chatsheet_llm.__version__").isdisjoint(HEAVY)


def test_routes_are_values_that_need_no_sdk() -> None:
    assert loaded("from chatsheet_llm import Route, Attempt, Loss, Skip").isdisjoint(HEAVY)


def test_the_client_loads_one_sdk_and_no_other() -> None:
    found = after("from chatsheet_llm import ChatClient")
    modules = {name.partition(".")[0] for name in found["modules"]}

    assert "openai" in modules
    assert "anthropic" not in modules
    assert "litellm" not in modules
    assert found["sockets"] == []


def test_making_a_client_opens_no_socket() -> None:
    code = (
        "from chatsheet_llm import ChatClient, Settings\n"
        "url = 'http://127.0.0.1:9'\n"
        "client = ChatClient(Settings(_env_file=None, litellm_base_url=url, litellm_api_key='k'))\n"
        "client.close()"
    )

    assert [event for event in after(code)["sockets"] if event[0] in ("socket.connect", "socket.getaddrinfo")] == []


@pytest.mark.parametrize("name", chatsheet_llm.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(chatsheet_llm, name) is not None
    assert name in dir(chatsheet_llm)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="ChatKlient"):
        _ = chatsheet_llm.ChatKlient


CLIENT = """
from chatsheet_llm import ChatClient, Settings
keys = {{"azure_openai_endpoint": "https://a.example", "azure_openai_api_key": "k", "anthropic_api_key": "k"}}
ChatClient(Settings(_env_file=None, **keys), chain={chain})
"""


@pytest.mark.parametrize(("chain", "there"), [(["azure"], False), (["azure", "anthropic"], True)])
def test_a_client_loads_the_sdks_of_its_chain_before_the_first_call(chain: list[str], there: bool) -> None:
    assert ("anthropic" in loaded(CLIENT.format(chain=chain))) is there


THREE_HOPS = """
from chatsheet_llm import ChatClient, Settings
url = "http://127.0.0.1:9"
keys = {"litellm_base_url": url, "litellm_api_key": "k", "azure_openai_endpoint": url, "azure_openai_api_key": "k"}
client = ChatClient(Settings(_env_file=None, **keys))
"""
NOT_OF_EVERY_CHAIN = {
    "a models file": {"yaml", "chatsheet_llm.models_file", "chatsheet_llm.models_flat", "chatsheet_llm.yaml_file"},
    "shared state": {"redis", "chatsheet_llm.redis_state", "chatsheet_llm.sharing", "chatsheet_llm.state_threads"},
    "hedging and restarts": {"chatsheet_llm.race", "chatsheet_llm.recovery", "chatsheet_llm.restart"},
    "an inventory": {"chatsheet_llm.inventory"},
    "other endpoints": {"anthropic", "chatsheet_llm.endpoints.anthropic", "chatsheet_llm.endpoints.openai"},
    "whole answers as streams": {"chatsheet_llm.formats.whole_stream"},
    "Responses": {"openai.resources.responses.responses", "chatsheet_llm.resources_responses"},
    "the command line": {"typer", "rich", "chatsheet_llm.cli", "chatsheet_llm.sandbox", "chatsheet_llm.proxy_config"},
}
BRIDGES = {
    f"chatsheet_llm.formats.{family}_{part}"
    for family in ("chat_responses", "responses_chat", "messages_responses", "responses_messages")
    for part in ("request", "reply", "stream")
}


@pytest.mark.parametrize("modules", [*NOT_OF_EVERY_CHAIN.values(), BRIDGES], ids=[*NOT_OF_EVERY_CHAIN, "bridges"])
def test_a_chat_client_loads_nothing_that_its_chain_has_no_use_for(modules: set[str]) -> None:
    assert modules.isdisjoint(after(THREE_HOPS + "client.chat.completions")["modules"])


def test_a_request_that_is_bridged_loads_the_bridge_it_crosses_and_no_other() -> None:
    found = after(
        "from chatsheet_llm.formats import BRIDGES; BRIDGES['chat', 'responses']({'model': 'm', 'messages': []})"
    )

    assert BRIDGES & set(found["modules"]) == {"chatsheet_llm.formats.chat_responses_request"}


READS = """
import ssl
read, own = [], ssl.SSLContext.load_verify_locations
ssl.SSLContext.load_verify_locations = lambda *given, **named: (read.append(given), own(*given, **named))[1]
ssl.SSLContext.load_default_certs = lambda *given, **named: read.append(given)
"""


@pytest.mark.parametrize(("url", "some"), [("http://127.0.0.1:9", False), ("https://127.0.0.1:9", True)])
def test_certificates_are_read_with_the_client_where_an_endpoint_has_any(url: str, some: bool) -> None:
    code = READS + THREE_HOPS.replace("http://127.0.0.1:9", url) + "print(bool(read))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == str(some)

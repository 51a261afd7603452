"""The configuration of a LiteLLM proxy: write it from the registry, check one that exists.  Starts no proxy."""

from chatsheet_llm.proxy_config.check import RULES, Finding, check
from chatsheet_llm.proxy_config.write import proxy_config

__all__ = ["RULES", "Finding", "check", "proxy_config"]

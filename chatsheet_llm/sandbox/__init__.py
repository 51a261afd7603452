"""A server on loopback that plays the providers of a chain, faults included.  Calls no model and leaves no machine.

with Sandbox(faults={"litellm": "503"}) as box:
    client = openai.OpenAI(base_url=f"{box.litellm_url}/v1", api_key=box.api_key, max_retries=0)
"""

from chatsheet_llm.sandbox.board import ROLES
from chatsheet_llm.sandbox.bodies import RoleName
from chatsheet_llm.sandbox.exchange import Received
from chatsheet_llm.sandbox.faults import FAULTS, Fault, FaultRow, fault_help, parse_fault
from chatsheet_llm.sandbox.server import API_KEY, Sandbox

__all__ = [
    "API_KEY",
    "FAULTS",
    "ROLES",
    "Fault",
    "FaultRow",
    "Received",
    "RoleName",
    "Sandbox",
    "fault_help",
    "parse_fault",
]

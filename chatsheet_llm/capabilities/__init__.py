"""What models can do, as data: APIs, streaming, tools, refused parameters, windows.  A hint; refuses to guess.

Providers' answers at run time are right where this is wrong, so a caller corrects it and never argues with them.
"""

from chatsheet_llm.capabilities.lookup import capability_of, is_named
from chatsheet_llm.capabilities.names import ModelName, parse_name
from chatsheet_llm.capabilities.row import NEUTRAL, OVERRIDES, Capability, Override, override_of
from chatsheet_llm.capabilities.table import CAPABILITIES

__all__ = [
    "CAPABILITIES",
    "NEUTRAL",
    "OVERRIDES",
    "Capability",
    "ModelName",
    "Override",
    "capability_of",
    "is_named",
    "override_of",
    "parse_name",
]

"""Every private symbol of the SDKs and of their HTTP library that we touch, and nothing else.

Each has a contract test (``tests/contract``) that runs against the lowest and the newest version that
``pyproject.toml`` allows.
No module beside this package imports a name that starts with an underscore from a package that is not ours.
"""

from __future__ import annotations

from chatsheet_llm.sdk.answers import finish as finish
from chatsheet_llm.sdk.answers import identify as identify
from chatsheet_llm.sdk.answers import mark as mark
from chatsheet_llm.sdk.answers import response_for as response_for
from chatsheet_llm.sdk.anthropic import anthropic_outgoing as anthropic_outgoing
from chatsheet_llm.sdk.anthropic import foundry_classes as foundry_classes
from chatsheet_llm.sdk.environment import forget_environment as forget_environment
from chatsheet_llm.sdk.haste import hasten as hasten
from chatsheet_llm.sdk.http import backend as backend
from chatsheet_llm.sdk.http import direct as direct
from chatsheet_llm.sdk.http import pools as pools
from chatsheet_llm.sdk.http import proxy_for as proxy_for
from chatsheet_llm.sdk.http import set_backend as set_backend
from chatsheet_llm.sdk.http import set_direct as set_direct
from chatsheet_llm.sdk.http import stream_over as stream_over
from chatsheet_llm.sdk.objects import constructed as constructed
from chatsheet_llm.sdk.objects import constructs as constructs
from chatsheet_llm.sdk.objects import member as member
from chatsheet_llm.sdk.objects import validator as validator
from chatsheet_llm.sdk.requests import OMIT as OMIT
from chatsheet_llm.sdk.requests import FinalRequestOptions as FinalRequestOptions
from chatsheet_llm.sdk.requests import Omit as Omit
from chatsheet_llm.sdk.requests import asked as asked
from chatsheet_llm.sdk.requests import body_of as body_of
from chatsheet_llm.sdk.requests import cast_of as cast_of
from chatsheet_llm.sdk.requests import copied as copied
from chatsheet_llm.sdk.requests import headers_of as headers_of
from chatsheet_llm.sdk.requests import outgoing as outgoing
from chatsheet_llm.sdk.requests import overheard as overheard
from chatsheet_llm.sdk.requests import raw_marker as raw_marker
from chatsheet_llm.sdk.requests import retries_of as retries_of
from chatsheet_llm.sdk.requests import seconds_of as seconds_of
from chatsheet_llm.sdk.requests import timeout_of as timeout_of
from chatsheet_llm.sdk.routes import attach as attach
from chatsheet_llm.sdk.routes import route_of as route_of
from chatsheet_llm.sdk.routes import with_route as with_route

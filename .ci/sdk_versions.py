"""Say which SDKs this environment tests; with --lowest, fail unless they are the lowest that pyproject.toml allows."""
# ruff: noqa: T201  (a command line tool: it prints)

from __future__ import annotations

import sys
from importlib.metadata import requires, version

from packaging.requirements import Requirement
from packaging.version import Version

SDKS = ("openai", "anthropic", "httpx2")


def floor_of(name: str) -> Version:
    """Return the lower bound that the installed chatsheet_llm declares for ``name``."""
    for line in requires("chatsheet_llm") or []:
        requirement = Requirement(line)
        if requirement.name == name and requirement.marker is None:
            for specifier in requirement.specifier:
                if specifier.operator in (">=", "==", "~="):
                    return Version(specifier.version)
    sys.exit(f"pyproject.toml declares no lower bound for {name!r}; the range of every SDK has one")


def main() -> None:
    lowest = sys.argv[1:] == ["--lowest"]
    print(("lowest" if lowest else "newest") + " SDKs: " + ", ".join(f"{name} {version(name)}" for name in SDKS))
    if not lowest:
        return
    for name in SDKS:
        if Version(version(name)) != floor_of(name):
            sys.exit(
                f"{name}: constraints-lowest.txt tests {version(name)}, pyproject.toml promises {floor_of(name)}; "
                "change one of them so that the lowest promised version is the one tested"
            )


if __name__ == "__main__":
    main()

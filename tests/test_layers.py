"""Imports only go down the house, and a driver stays in its own room. Read from the source, so lazy imports count."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "chat_aiohttp"

# From the ground up; a name with a dot at its end is a whole package. A file that stands on no floor fails the test.
FLOORS = {
    "L0 pure": (
        "addresses",
        "bodies",
        "errors",
        "closing",
        "commands",
        "dialect",
        "events",
        "frames",
        "inbox",
        "limits",
        "looks",
        "metrics",
        "modules",
        "names",
        "outbox",
        "rich",
        "sessions",
        "texts",
        "wire",
        "words",
    ),
    "beside the server": ("link", "client"),
    "L1 in-process": (
        "goodbyes",
        "outgoing",
        "poller",
        "presence",
        "pulse",
        "registry",
        "restraint",
        "rooms",
        "switchboard",
    ),
    "L2 stores and the outside": ("store.", "accounts", "webhooks"),
    "L3 use cases": (
        "attendance",
        "catch_up",
        "changes",
        "doors",
        "early_sends",
        "echoes",
        "gate",
        "hub",
        "may",
        "order",
        "paging",
        "reception",
        "shared_reads",
        "speech",
    ),
    "configuration": ("config", "settings"),
    "L4 what hangs on the application": ("assets", "keys", "logs", "proxies", "siblings", "systemd"),
    "L5 web": ("web.",),
    "L4 wiring": ("routes", "app", "listeners", "supervisor", "server"),
    "command line": ("cli", "__main__"),
}
HEIGHTS = {name: height for height, names in enumerate(FLOORS.values()) for name in names}
GROUND, CLIENT, STORES, CONFIGURATION = 0, 1, 3, 5

# The drivers, and who may import them.
DRIVERS = {
    "aiohttp": re.compile(r"app|assets|link|keys|proxies|routes|server|web\..*"),
    "aiohttp_jinja2": re.compile(r"app|assets|web\..*"),
    "prometheus_client": re.compile(r"web\.exposition"),
    "redis": re.compile(r"store\.redis_.*"),
    "hiredis": re.compile(r"store\.redis_.*"),
    "sqlite3": re.compile(r"store\.sqlite(_.*)?"),
}
NOT_PURE = {"asyncio", "random", "secrets", "select", "selectors", "socket", "threading", "time"}


def modules() -> dict[str, set[str]]:
    """Every module of the package, by its name inside it, with all that it imports."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        found[name] = set(imports(ast.parse(path.read_text("utf-8"))))
    del found["__init__"]  # the version, nothing else
    return found


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports here are absolute: they can be searched for"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = modules()


def ours(imported: set[str]) -> set[str]:
    """Those of our modules that stand behind *imported* names."""
    inside = {name.removeprefix("chat_aiohttp.") for name in imported if name.startswith("chat_aiohttp.")}
    return {name if name in MODULES else name.rpartition(".")[0] for name in inside} & MODULES.keys()


def height(module: str) -> int:
    name = module if module in HEIGHTS else module.split(".")[0] + "."
    assert name in HEIGHTS, f"{module} has no floor yet: give it one in FLOORS, and in docs/architecture.md"
    return HEIGHTS[name]


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    above = {other for other in ours(MODULES[module]) if height(other) > height(module)}

    assert not above, f"{module} reaches up to {above}"


def test_the_stores_know_nothing_of_rooms_and_members() -> None:
    for module in MODULES:
        if height(module) == STORES:
            assert {height(other) for other in ours(MODULES[module])} <= {GROUND, STORES}, module


def test_the_client_and_the_server_share_the_ground_floor_alone() -> None:
    for module in MODULES:
        if height(module) == CLIENT:
            assert {height(other) for other in ours(MODULES[module])} <= {GROUND, CLIENT}, module
        else:
            assert not {"client", "link", "inbox", "outbox"} & ours(MODULES[module]), module


def test_the_web_sees_no_store() -> None:
    for module in MODULES:
        if module.startswith("web."):
            assert not {other for other in ours(MODULES[module]) if other.startswith("store")}, module


def test_the_use_cases_see_the_contract_and_no_store_behind_it() -> None:
    for module in MODULES:
        if not module.startswith("store") and module != "app":
            assert not {other for other in ours(MODULES[module]) if other.startswith("store.")}, module


def test_one_kind_of_store_does_not_know_another() -> None:
    for module in MODULES:
        kind = module.removeprefix("store.").split("_")[0]
        if module.startswith("store.") and kind not in ("local", "search"):
            kinds = {other.removeprefix("store.").split("_")[0] for other in ours(MODULES[module]) if "store." in other}
            assert kinds <= {kind, "local", "search"}, module


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_driver_stays_in_its_own_room(driver: str) -> None:
    users = {module for module, imported in MODULES.items() if driver in {name.split(".")[0] for name in imported}}

    assert {module for module in users if not DRIVERS[driver].fullmatch(module)} == set()


def test_the_ground_floor_is_pure() -> None:
    for module, imported in MODULES.items():
        if height(module) == GROUND:
            assert not NOT_PURE & {name.split(".")[0] for name in imported}, module


def test_the_configuration_is_read_by_the_wiring_alone() -> None:
    for module in MODULES:
        if height(module) < CONFIGURATION:
            assert not {"config", "settings"} & ours(MODULES[module]), module


def test_no_two_modules_import_each_other() -> None:
    def reaches(start: str, goal: str, seen: set[str]) -> bool:
        following = ours(MODULES[start]) - seen
        return goal in following or any(reaches(other, goal, seen | following) for other in following)

    assert [module for module in MODULES if reaches(module, module, set())] == []

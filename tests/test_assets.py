"""The files of a page: addresses, the policy, and what a style sheet and a module may not do."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest

from chat_aiohttp.assets import Assets, templates_dir

STATIC = templates_dir() / "static"
MODULES = sorted((STATIC / "js").glob("*.js"))
LONGEST_MODULE = 150  # lines
WIDEST_LINE = 120


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets()


def test_an_address_carries_the_hash_of_its_content(assets: Assets) -> None:
    asset = assets.get("css/base.css")

    assert asset is not None
    assert asset.url == f"/static/{sha256(asset.body).hexdigest()[:12]}/css/base.css"


def test_comments_are_for_readers_of_the_source(assets: Assets, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.js").write_text(
        '/* What it\n   is. */\nlet a = "/*";  /* kept */\n  /* Why. */\na = "*/";\n'
    )
    asset = Assets(tmp_path).get("a.js")

    assert asset is not None
    assert asset.body == b'let a = "/*";  /* kept */\na = "*/";\n'


def test_what_is_packed_unpacks_to_the_same(assets: Assets) -> None:
    asset = assets.get("css/room.css")

    assert asset is not None
    assert asset.packed is not None
    assert gzip.decompress(asset.packed) == asset.body


@pytest.mark.parametrize("path", ["nothing.css", "../room.html", "js/../css/base.css", "", "/etc/passwd"])
def test_no_path_leads_out_of_the_table(assets: Assets, path: str) -> None:
    assert assets.get(path) is None


def test_the_policy_allows_the_import_map_and_no_other_inline_script(assets: Assets) -> None:
    digest = b64encode(sha256(assets.import_map.encode()).digest()).decode()

    assert f"script-src 'self' 'sha256-{digest}';" in assets.csp
    assert "unsafe" not in assets.csp


def test_what_a_page_fetches_later_has_its_bare_name(assets: Assets) -> None:
    imports = json.loads(assets.import_map)["imports"]
    fetched = re.findall(r'\bimport\("chat/(\w+)"\)', "".join(path.read_text() for path in MODULES))

    assert imports["chat/room"] == assets.url("pages/room.js")
    assert {f"chat/room/{name}" for name in fetched} <= imports.keys()
    assert set(imports.values()) == {url for url in assets.shell if url.endswith(".js")}


def test_a_pages_style_sheet_is_its_parts_in_order(assets: Assets) -> None:
    whole, *parts = [assets.get(path) for path in ("pages/index.css", "css/base.css", "css/index.css")]

    assert whole is not None
    assert whole.body == b"".join(part.body for part in parts if part is not None)


def test_what_is_kept_for_when_there_is_no_net_is_what_pages_fetch(assets: Assets) -> None:
    kept = {url.split("/", 3)[3] for url in assets.shell}

    assert {"pages/room.js", "pages/index.css", "pages/room/search.js", "css/deeds.css", "icon.svg"} <= kept
    assert not {path for path in kept if path.startswith("js/") or path in ("css/base.css", "worker.js")}


def test_a_file_of_an_unknown_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "movie.avi").touch()

    with pytest.raises(ValueError, match="avi"):
        Assets(tmp_path)


# -- what the modules may do


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    source = path.read_text()

    assert source.startswith("/* ")
    assert source.count("\n") < LONGEST_MODULE
    assert max(map(len, source.splitlines())) <= WIDEST_LINE


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_module_makes_nodes_from_text(path: Path) -> None:
    forbidden = r"(inner|outer|insertAdjacent)HTML|document\.write|DOMParser|\beval\b|new Function|\.cssText|srcdoc"

    assert re.findall(forbidden, path.read_text()) == []


def test_no_template_has_a_style_or_a_handler_in_an_attribute() -> None:
    for template in templates_dir().glob("*.html"):
        assert re.findall(r"<[^>]+\s(?:style|on\w+)=", template.read_text()) == [], template.name


# -- contrast (WCAG 2.2, 1.4.3 and 1.4.11)


def _tokens() -> tuple[dict[str, str], dict[str, str]]:
    css = (STATIC / "css/base.css").read_text()
    pairs = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{3,6}), (#[0-9a-f]{3,6})\);", css)
    return {name: light for name, light, _ in pairs}, {name: dark for name, _, dark in pairs}


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


TEXT = ["ink", "ink-2", "ink-3", "seal", "jade", "amber"]
PAIRS = [*product(TEXT, ["paper", "raised"]), *product(["ink", "ink-2", "ink-3"], ["sunk"])]
PAIRS += [("on-seal", "seal"), ("seal", "seal-soft")]


@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_can_be_read_in_both_schemes(text: str, ground: str) -> None:
    for scheme in _tokens():
        assert _contrast(scheme[text], scheme[ground]) >= 4.5

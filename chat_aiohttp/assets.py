"""The files a page is made of: where they lie, their addresses, and the policy that follows from them. Layer 4.

Everything under templates/static is read once, at start, freed of its comments, hashed and compressed; a request is a
look-up in a table, so no address can name a file outside it. A file's address carries its content's hash: browsers keep
it for ever, and a new version is a new address. Modules import each other by bare names ("chat/time"), which the page's
one import map turns into those addresses: no build step, no stale mixtures. What a page begins with is one script and
one style sheet (PAGES, modules.py): each file costs a browser more than its bytes.

The map is the only inline script there is, so its hash stands in the Content-Security-Policy and pages need no nonce.
Rejected: importlib.resources (hands out several paths for one folder in editable installs, and Jinja wants a real one).
"""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from chat_aiohttp import modules

STATIC: Final = "/static"
PAGES: Final = {"index": ("base", "index"), "room": ("base", "room", "log", "search", "beside", "rich")}
"""The pages that have a module of their own, and their style sheets in order"""
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
    ".webmanifest": "application/manifest+json; charset=utf-8",
}


# A comment with lines of its own. A sixth of what a module weighs packed; who reads code reads it in the repository.
_COMMENT: Final = re.compile(rb"^[ \t]*/\*.*?\*/[ \t]*\n", re.DOTALL | re.MULTILINE)


def templates_dir() -> Path:
    """The templates: inside the package when installed, beside it in a checkout or an editable install."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"


class Asset(NamedTuple):
    """One file, ready to be sent. *packed* is the gzip of *body*, or None where that gains nothing."""

    path: str
    hash: str
    content_type: str
    body: bytes
    packed: bytes | None

    @property
    def url(self) -> str:
        return f"{STATIC}/{self.hash}/{self.path}"


class Assets:
    """All static files, in memory. Raises OSError when *folder* can't be read, ValueError for an unknown type."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or templates_dir()
        files = {asset.path: asset for asset in _load(self.folder / "static")}
        self._by_path = files | {asset.path: asset for asset in _pages(files)}
        self.import_map = json.dumps({"imports": self._imports()}, separators=(",", ":"))
        self.csp = self.policy()

    def policy(self, ancestors: str = "'none'") -> str:
        """The Content-Security-Policy of a page that only *ancestors*, origins divided by spaces, may frame."""
        return _policy(self.import_map, ancestors)

    def get(self, path: str) -> Asset | None:
        """The file that lies at *path* under static/, or None."""
        return self._by_path.get(path)

    def url(self, path: str) -> str:
        """The address of *path*, its hash included. Raises KeyError when there is no such file."""
        return self._by_path[path].url

    @property
    def shell(self) -> list[str]:
        """The addresses of all that pages fetch, to be kept by a browser for when there is no net."""
        inside = {f"css/{style}.css" for styles in PAGES.values() for style in styles}
        fetched = [path for path in self._by_path if path.startswith(("css/", "pages/")) and path not in inside]
        return [self.url(path) for path in (*fetched, "icon.svg")]

    def _imports(self) -> dict[str, str]:
        scripts = (asset for asset in self._by_path.values() if asset.path.endswith(".js"))
        pages = [script for script in scripts if script.path.startswith("pages/")]
        return {modules.PREFIX + script.path.removeprefix("pages/")[:-3]: script.url for script in pages}


def _load(root: Path) -> list[Asset]:
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
    return [_asset(path.relative_to(root).as_posix(), _bare(path)) for path in files]


def _bare(path: Path) -> bytes:
    """What stands in *path*, without its comments."""
    body = path.read_bytes()
    return _COMMENT.sub(b"", body) if path.suffix in (".css", ".js") else body


def _pages(files: Mapping[str, Asset]) -> list[Asset]:
    """What the pages begin with, and the modules they fetch later. One that is not there (in tests) has no page."""
    sources = {Path(path).stem: asset.body.decode() for path, asset in files.items() if path.startswith("js/")}
    found = []
    for page, styles in PAGES.items():
        if page in sources:
            scripts = modules.for_page(page, sources)
            found += [_asset(f"pages/{name}.js", text.encode()) for name, text in scripts.items()]
            found.append(_asset(f"pages/{page}.css", b"".join(files[f"css/{style}.css"].body for style in styles)))
    return found


def _asset(path: str, body: bytes) -> Asset:
    suffix = Path(path).suffix
    if suffix not in _TYPES:
        raise ValueError(f"templates/static/{path}: no content type is known for “{suffix}”; add it to assets.py")
    # mtime=0: the same content packs to the same bytes on every instance.
    packed = gzip.compress(body, 9, mtime=0)
    return Asset(path, sha256(body).hexdigest()[:12], _TYPES[suffix], body, packed if len(packed) < len(body) else None)


def _policy(import_map: str, ancestors: str) -> str:
    map_hash = b64encode(sha256(import_map.encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{map_hash}'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            f"frame-ancestors {ancestors}",
            "require-trusted-types-for 'script'",
            "trusted-types chat",
        )
    )

"""A page's modules in one file. Layer 0: pure.

The page is written as some fifty small ES modules, and a browser pays for each: a request crosses four of its
processes, which on two cores made the room usable 0.2 s later on loopback. So what a page begins with is served as one
file, in which every module is a function's scope, in the order in which ES modules are evaluated (ECMA-262 section
16.2.1.6). What is fetched later stays a file of its own; what it shares with the page it takes from that file, so that
there is one of everything. Nothing is minified: the lines are those of the source.

It reads the few forms of `import` and `export` that are used here, each a statement on lines of its own, and refuses
every other at the start; no module may import in a circle, and what is exported never changes.

Rejected: a bundler (a build step, and Node to install); HTTP/2 (the browser's share stays).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

PREFIX: Final = "chat/"

_IMPORT: Final = re.compile(r'^import \{([^}]*)\} from "chat/(\w+)";$', re.MULTILINE)
_DYNAMIC: Final = re.compile(r'\bimport\("chat/(\w+)"\)')
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)
_UNREAD: Final = re.compile(r"^(?:import|export)\b(?!\().*|\bimport\.meta\b.*", re.MULTILINE)


def for_page(entry: str, sources: Mapping[str, str]) -> dict[str, str]:
    """The files of the page that begins with module *entry*, by their names: *entry* itself, which holds all that it
    imports, and ``entry/name`` for each module that is fetched later. *sources*: every module's text, by its name.
    Raises ValueError naming the module that can't be read."""
    together: dict[str, None] = {}
    _collect(entry, sources, together, ())
    scopes = [f"const ${name} = (() => {{\n{_body(name, sources[name], entry, together)}}})();" for name in together]
    exported = ", ".join(f"${name}" for name in together)
    files = {entry: "\n".join([*scopes, f"export {{ {exported} }};", ""])}
    for name in _later(together, sources):
        files[f"{entry}/{name}"] = _apart(name, sources[name], entry, together)
    return files


def _collect(name: str, sources: Mapping[str, str], found: dict[str, None], way: tuple[str, ...]) -> None:
    """What *name* imports, then *name*: a module is evaluated after what it needs."""
    if name in way:
        raise ValueError(f"js/{name}.js imports itself by way of {', '.join(way[way.index(name) + 1 :]) or 'itself'}")
    if name in found:
        return
    if name not in sources:
        raise ValueError(f"js/{way[-1] if way else name}.js needs js/{name}.js, which is not there")
    for other in _imports(sources[name]):
        _collect(other, sources, found, (*way, name))
    found[name] = None


def _imports(source: str) -> list[str]:
    """The modules that *source* needs before it begins, in its order."""
    return [match[2] for match in _IMPORT.finditer(source)]


def _later(together: Mapping[str, None], sources: Mapping[str, str]) -> list[str]:
    """The modules that are not in the page's file, but fetched by it or by one of them."""
    found: list[str] = []
    todo = list(together)
    while todo:
        source = sources[todo.pop()]
        for name in (*_DYNAMIC.findall(source), *_imports(source)):
            if name not in together and name not in found:
                if name not in sources:
                    raise ValueError(f"a module imports js/{name}.js, which is not there")
                found.append(name)
                todo.append(name)
    return sorted(found)


def _body(name: str, source: str, entry: str, together: Mapping[str, None]) -> str:
    """*source* as the inside of a function that returns what it exports."""
    exported = ", ".join(_EXPORT.findall(source))
    text = _IMPORT.sub(_taken, _EXPORT.sub("", source))
    return f"{_checked(name, _point(name, text, entry, together))}return {{ {exported} }};\n"


def _apart(name: str, source: str, entry: str, together: Mapping[str, None]) -> str:
    """*source* as a module that takes what it shares with the page from the page's file."""

    def import_from(match: re.Match[str]) -> str:
        if match[2] not in together:
            return f'import {{{match[1]}}} from "{PREFIX}{entry}/{match[2]}";'
        return f'import {{ ${match[2]} }} from "{PREFIX}{entry}";\n{_taken(match)}'

    _checked(name, _EXPORT.sub("", _IMPORT.sub("", source)))
    return _point(name, _IMPORT.sub(import_from, source), entry, together)


def _taken(match: re.Match[str]) -> str:
    """`import { a as b }` as a constant of the module it is imported from."""
    return f"const {{{match[1].replace(' as ', ': ')}}} = ${match[2]};"


def _point(name: str, text: str, entry: str, together: Mapping[str, None]) -> str:
    """*text*, fetching the page's own files."""

    def fetch(match: re.Match[str]) -> str:
        if match[1] in together:
            raise ValueError(f"js/{name}.js fetches js/{match[1]}.js later, which the page begins with")
        return f'import("{PREFIX}{entry}/{match[1]}")'

    return _DYNAMIC.sub(fetch, text)


def _checked(name: str, text: str) -> str:
    if (odd := _UNREAD.search(text)) is not None:
        raise ValueError(f"js/{name}.js: “{odd[0]}” is a form that modules.py doesn't read")
    return text

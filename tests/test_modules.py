"""A page's modules as one file: what it says is what the modules say, each once, in their order; or it is refused."""

from __future__ import annotations

import pytest

from chat_aiohttp.modules import for_page

SOURCES = {
    "room": 'import { tell as say } from "chat/words";\nimport { Log } from "chat/log";\n\nsay(new Log());\n'
    'const find = () => import("chat/search");\n',
    "log": 'import {\n  tell,\n} from "chat/words";\n\n'
    "export class Log {\n  told = tell(LINE);\n}\n\nexport const LINE = 1;\n",
    "words": "const held = [];\n\nexport function tell(word) {\n  held.push(word);\n  return held;\n}\n"
    "export async function* all() {}\n",
    "search": 'import { tell } from "chat/words";\nimport { mark } from "chat/marks";\n\n'
    "export const found = mark(tell);\n",
    "marks": "export const mark = (each) => each;\n",
    "index": "alone();\n",
}


def with_one(**changed: str) -> dict[str, str]:
    return SOURCES | changed


def test_a_page_is_one_file_in_which_each_module_stands_once_behind_what_it_needs() -> None:
    files = for_page("room", SOURCES)

    assert files["room"] == (
        "const $words = (() => {\n"
        "const held = [];\n\nfunction tell(word) {\n  held.push(word);\n  return held;\n}\nasync function* all() {}\n"
        "return { tell, all };\n})();\n"
        "const $log = (() => {\n"
        "const {\n  tell,\n} = $words;\n\nclass Log {\n  told = tell(LINE);\n}\n\nconst LINE = 1;\n"
        "return { Log, LINE };\n})();\n"
        "const $room = (() => {\n"
        "const { tell: say } = $words;\nconst { Log } = $log;\n\nsay(new Log());\n"
        'const find = () => import("chat/room/search");\n'
        "return {  };\n})();\n"
        "export { $words, $log, $room };\n"
    )


def test_what_is_fetched_later_takes_what_it_shares_from_the_pages_file() -> None:
    files = for_page("room", SOURCES)

    assert files.keys() == {"room", "room/search", "room/marks"}
    assert files["room/search"] == (
        'import { $words } from "chat/room";\nconst { tell } = $words;\nimport { mark } from "chat/room/marks";\n\n'
        "export const found = mark(tell);\n"
    )
    assert files["room/marks"] == SOURCES["marks"]


def test_a_page_holds_nothing_of_another() -> None:
    assert for_page("index", SOURCES) == {
        "index": "const $index = (() => {\nalone();\nreturn {  };\n})();\nexport { $index };\n"
    }


@pytest.mark.parametrize(
    "form",
    [
        'import * as words from "chat/words";\n',
        'import words from "chat/words";\n',
        'import { tell } from "./words.js";\n',
        "export default 1;\n",
        "export let version = 0;\n",
        "const a = 1;\nexport { a };\n",
        'export * from "chat/words";\n',
        "const here = import.meta.url;\n",
    ],
)
@pytest.mark.parametrize("name", ["log", "search"])
def test_a_form_that_is_not_read_is_refused_by_name(name: str, form: str) -> None:
    with pytest.raises(ValueError, match=rf"js/{name}\.js: “(import|export).*” is a form"):
        for_page("room", with_one(**{name: form}))


def test_a_module_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"js/log\.js needs js/gone\.js"):
        for_page("room", with_one(log='import { a } from "chat/gone";\n'))
    with pytest.raises(ValueError, match=r"js/gone\.js"):
        for_page("room", with_one(search='import("chat/gone");\n'))


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"js/words\.js imports itself by way of log"):
        for_page("room", with_one(words='import { Log } from "chat/log";\n'))


def test_what_the_page_begins_with_is_not_fetched_later() -> None:
    with pytest.raises(ValueError, match=r"js/room\.js fetches js/words\.js later"):
        for_page("room", with_one(room=SOURCES["room"] + 'import("chat/words");\n'))

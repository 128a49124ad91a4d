/* The sheet of keys. */

import { say } from "chat/words";

const KEYS = [
  ["Enter", "send"], ["Shift+Enter", "line"], ["↑", "last"], ["Esc", "cancel"],
  ["↑ ↓", "among"], ["→", "into"], ["R", "reply"], ["E", "edit"], ["Del", "delete"], ["+", "react"],
  ["Ctrl+/", "sheet"],
];

export function showKeys() {
  if (document.querySelector(".sheet")) return;
  const sheet = document.createElement("dialog");
  sheet.className = "sheet";
  const title = document.createElement("h2");
  title.id = "keys-title";
  title.textContent = say("keys.title");
  sheet.setAttribute("aria-labelledby", title.id);
  const list = document.createElement("dl");
  for (const [key, what] of KEYS) {
    const term = document.createElement("dt");
    for (const each of key.split(/(?<=.)[+ ](?=.)/)) {
      const one = document.createElement("kbd");
      one.textContent = each;
      term.append(one, " ");
    }
    const words = document.createElement("dd");
    words.textContent = say(`keys.${what}`);
    list.append(term, words);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet-button";
  close.textContent = say("keys.close");
  close.addEventListener("click", () => sheet.close());
  sheet.addEventListener("click", ({ target }) => target === sheet && sheet.close());
  sheet.addEventListener("close", () => sheet.remove());
  sheet.append(title, list, close);
  document.body.append(sheet);
  sheet.showModal();
}

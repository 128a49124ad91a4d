/* Editing a message where it stands, and asking once more before it is deleted. */

import { grow } from "chat/grow";
import { say } from "chat/words";

/* *done* gets the new text if it is another one and not *over* the limit, which *advice* says; *end* is told when it is
   over, either way. */
export function editor(row, item, { over, advice, done, end }) {
  if (row.classList.contains("editing")) return;
  const form = document.createElement("form");
  form.className = "editor";
  const input = document.createElement("textarea");
  Object.assign(input, { value: item.message, dir: "auto", rows: 1, enterKeyHint: "done" });
  input.setAttribute("aria-label", say("edit.label"));
  const close = () => {
    form.remove();
    row.classList.remove("editing");
    advice();
    end();
  };
  const save = () => {
    const text = input.value.replace(/\s+$/, "");
    const n = over(text);
    if (n) return advice(say("composer.over", { n }), true);  // it stays, to be shortened
    close();
    if (text !== item.message) done(text);
  };
  form.append(input, buttons([say("edit.save"), "submit"], [say("edit.cancel"), "button", close]));
  form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
  input.addEventListener("keydown", (event) => {
    const composing = event.isComposing || event.keyCode === 229;  // an Enter that ends a composition saves nothing
    if (event.key === "Escape" && !composing) close();
    else if (event.key === "Enter" && !event.shiftKey && !composing) save();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  row.classList.add("editing");
  row.querySelector(".text").after(form);
  input.focus();
  input.setSelectionRange(input.value.length, input.value.length);
  input.addEventListener("input", () => grow(input));
  grow(input);
  row.scrollIntoView({ block: "nearest" });
}

/* *yes* when it shall go; *end* when that is decided, either way. */
export function confirmDelete(row, { yes, end }) {
  if (row.querySelector(".confirm")) return;
  const line = document.createElement("div");
  line.className = "confirm";
  line.setAttribute("role", "group");
  const question = document.createElement("span");
  question.textContent = say("delete.ask");
  const close = () => {
    line.remove();
    end();
  };
  const choice = buttons([say("delete.yes"), "button", () => { close(); yes(); }], [say("delete.no"), "button", close]);
  line.setAttribute("aria-label", question.textContent);
  line.append(question, choice);
  line.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  });
  row.querySelector(".text").after(line);
  choice.firstChild.focus();
  line.scrollIntoView({ block: "nearest" });
}

function buttons(...wanted) {
  const row = document.createElement("span");
  row.className = "buttons";
  for (const [words, type, pressed] of wanted) {
    const button = document.createElement("button");
    Object.assign(button, { type, textContent: words });
    if (pressed) button.addEventListener("click", pressed);
    row.append(button);
  }
  return row;
}

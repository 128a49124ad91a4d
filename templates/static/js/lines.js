/* The rows of the log that are no messages: days, what is new, where it begins, what is missing. */

import { say } from "chat/words";

export function line(className, text) {
  const row = document.createElement("li");
  row.className = className;
  row.setAttribute("role", "note");
  row.textContent = text;
  return row;
}

export function dayRow() {
  const row = line("day", "");
  row.setAttribute("role", "separator");
  return row;
}

export function newRow() {
  const row = line("new", say("log.new"));
  row.setAttribute("role", "separator");
  row.setAttribute("aria-label", row.textContent);
  return row;
}

/* Dressed at every drawing, so that "Today" becomes "Yesterday" on a page left open over night. */
export function label(row, text) {
  if (row.textContent === text) return;
  row.textContent = text;
  row.setAttribute("aria-label", text);
}

export function emptyRow() {
  const row = line("empty", "");
  const title = document.createElement("b");
  title.textContent = say("log.empty");
  row.append(title, say("log.emptyHint"));
  return row;
}

/* The index: keeps "5 min. ago" true, and an empty name from going anywhere. Everything else works without it. */

import { ago } from "chat/time";

const EVERY_MS = 30_000;

function refresh() {
  for (const time of document.querySelectorAll(".live time")) time.textContent = ago(Date.parse(time.dateTime));
}

refresh();
setInterval(refresh, EVERY_MS);

const input = document.getElementById("room-name-input");
input.focus({ preventScroll: true });  // autofocus waits for a first drawing: who types blind would lose a letter
input.addEventListener("input", () => input.removeAttribute("aria-invalid"));

/* Emoji to choose from, in a small window beside what it was opened from, with a field to find one by a word. */

import { EMOJI } from "chat/emoji";
import { say } from "chat/words";

const COLUMNS = 8;

/* The chosen emoji, or null. */
export function pick(beside) {
  const window = document.createElement("div");
  window.className = "picker";
  window.popover = "auto";  // closes on Escape and on a press elsewhere, and lies above everything
  window.setAttribute("role", "group");
  window.setAttribute("aria-label", say("picker.label"));
  const field = document.createElement("input");
  Object.assign(field, { type: "search", placeholder: say("picker.find"), autocomplete: "off" });
  field.setAttribute("aria-label", field.placeholder);
  const grid = document.createElement("div");
  grid.append(...EMOJI.map(([emoji, words]) => choice(emoji, words)));
  field.addEventListener("input", () => find(grid, field.value.trim().toLowerCase()));
  window.addEventListener("keydown", (event) => move(field, grid, event));
  window.append(field, grid);
  document.body.append(window);
  window.showPopover();
  place(window, beside.getBoundingClientRect());
  if (matchMedia("(pointer: fine)").matches) field.focus(); else grid.firstChild.focus();  // no keyboard over it
  return new Promise((chosen) => {
    grid.addEventListener("click", ({ target }) => {
      if (!target.closest("button")) return;
      chosen(target.textContent);
      window.hidePopover();
    });
    window.addEventListener("toggle", ({ newState }) => {
      if (newState !== "closed") return;
      window.remove();
      chosen(null);
    });
  });
}

function choice(emoji, words) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", textContent: emoji, title: words.split(" ")[0].replaceAll("_", " ") });
  button.dataset.words = words;
  return button;
}

function find(grid, wanted) {
  for (const button of grid.children) {
    button.hidden = !button.dataset.words.split(" ").some((word) => word.startsWith(wanted));
  }
}

function place(window, { left, right, top, bottom }) {
  const { offsetWidth: width, offsetHeight: height } = window;
  const x = document.dir === "rtl" ? left : right - width;
  const y = bottom + height + 8 < innerHeight ? bottom + 4 : top - height - 4;
  window.style.setProperty("--x", `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`);
  window.style.setProperty("--y", `${Math.max(8, y)}px`);
}

/* Down from the field into the grid, about in it, and up again; Enter in the field takes the first one. */
function move(field, grid, event) {
  const buttons = Array.from(grid.children).filter((button) => !button.hidden);
  const at = buttons.indexOf(document.activeElement);
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS };
  if (at < 0 && event.key === "Enter") buttons[0]?.click();
  else if (at < 0 && event.key === "ArrowDown") buttons[0]?.focus();
  else if (at >= 0 && event.key in steps) (buttons[at + steps[event.key]] ?? (at < COLUMNS ? field : null))?.focus();
  else return;
  event.preventDefault();
}

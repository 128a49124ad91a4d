/* The rooms' column on a narrow screen: it comes in over the talk when the mark is pressed. */

import { showCurrent } from "chat/rooms";

const NARROW = matchMedia("(max-width: 700px)");

export function roomsDrawer(button, panel, input) {
  const isOpen = () => document.body.dataset.rooms === "open";
  const show = (open) => {
    document.body.dataset.rooms = open ? "open" : "shut";
    button.setAttribute("aria-expanded", open);
  };
  button.addEventListener("click", () => {
    show(!isOpen());
    if (!isOpen()) return;
    showCurrent(panel);
    panel.querySelector("a").focus({ preventScroll: true });
  });
  NARROW.addEventListener("change", () => show(false));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen()) return;
    show(false);
    button.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (isOpen() && !panel.contains(target) && !button.contains(target)) show(false);
  });
  panel.addEventListener("focusout", ({ relatedTarget: next }) => {
    if (isOpen() && next && !panel.contains(next) && next !== button) show(false);
  });
  input.addEventListener("focus", () => show(false));
  show(false);
}

/* What is behind the bell, from when it is first opened: sound, notifications, the page's colours. All of it is this
   browser's, and nothing asks for leave before someone chooses it. */

import { always } from "chat/keep";
import { chime } from "chat/sound";
import { say } from "chat/words";

const REASONS = { denied: say("settings.blocked"), none: say("settings.none") };
const YEAR_S = 400 * 86_400;  // as long as browsers keep a cookie

export function settle(popover, bell) {
  const field = (name) => popover.querySelector(`[name="${name}"]`).form.elements[name];
  const note = popover.querySelector(".note");
  const chosen = () => ({ sound: false, notify: "none", ...always.read("settings", {}) });
  const change = (name, value) => { always.write("settings", { ...chosen(), [name]: value }); show(); };

  function show() {
    const { sound, notify } = chosen();
    field("sound").checked = sound;
    field("notify").value = permission() === "granted" ? notify : "none";
    field("theme").value = document.documentElement.dataset.theme ?? "auto";
    note.textContent = REASONS[permission()] ?? "";
    note.hidden = !note.textContent;
    bell.classList.toggle("on", sound || field("notify").value !== "none");
  }

  async function notified(value) {
    if (value !== "none" && permission() === "default") await Notification.requestPermission();
    change("notify", permission() === "granted" ? value : "none");
  }

  popover.addEventListener("change", ({ target }) => {
    if (target.name === "sound") { change("sound", target.checked); if (target.checked) chime(); }
    if (target.name === "notify") notified(target.value);
    if (target.name === "theme") wear(target.value);
  });
  show();
  popover.querySelector("form").inert = false;  // a choice made before would have been undone by this first showing
}

const permission = () => ("Notification" in window ? Notification.permission : "none");

/* The cookie lets the server draw the next page in these colours from its first line. */
function wear(theme) {
  const root = document.documentElement;
  if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
  const age = theme === "auto" ? 0 : YEAR_S;
  document.cookie = `theme=${theme}; path=/; max-age=${age}; samesite=lax`;
}

/* What the browser tells the room: back to the page, back on the net, buttons, keys. */

import { giveWayToKeyboard } from "chat/keyboard";
import { installLater } from "chat/later";
import { copyLink } from "chat/permalink";
import { page, say } from "chat/words";

const AWAY_MS = 20_000;  // hidden for longer, and the link may have died unnoticed
const QUIET_MS = 30_000;  // nothing heard for so long while someone looks: ask, lest "Live" be a lie
const WIDE = matchMedia("(min-width: 1021px)");

export function wire({ connection, outbox, timeline, notice, at }) {
  wakeful(connection);
  permalinks(at("chat-log"), notice);
  searching(at("find"), at("talk"), timeline, notice);
  giveWayToKeyboard();
  if (!page.embed) installLater();
  failures(at("chat-log"), outbox);
  at("newest").addEventListener("click", () => holdOn(at("chat-log")));
  drawer(at("people-toggle"), at("people"));
  copying(at("copy-link"));
}

/* Whatever the server says to this, an error too, shows that the link lives; no answer, and it is made anew. */
function probe(connection) {
  if (connection.state === "open") connection.ask({ type: "ping" });
  else connection.hurry();
}

function wakeful(connection) {
  let hiddenAt = Date.now();
  setInterval(() => !document.hidden && connection.silentFor() > QUIET_MS && probe(connection), QUIET_MS / 3);
  addEventListener("online", () => probe(connection));
  addEventListener("offline", () => probe(connection));
  addEventListener("pageshow", (event) => event.persisted && probe(connection));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenAt = Date.now();
    else if (Date.now() - hiddenAt > AWAY_MS) probe(connection);
    else connection.hurry();
  });
}

/* "Send again" and "Discard" of a failed message. */
function failures(list, outbox) {
  list.addEventListener("click", ({ target }) => {
    const { do: what, ref } = target.closest("button[data-do]")?.dataset ?? {};
    if (what === "again") outbox.again(ref);
    if (what === "discard") outbox.discard(ref);
    if (ref) holdOn(list);
  });
}

/* A button that is pressed and goes would leave the focus nowhere. */
function holdOn(list) {
  list.focus({ preventScroll: true });
}

/* A click on a message's time goes there, which is what a link does by itself, and takes the address along. */
function permalinks(list, notice) {
  list.addEventListener("click", ({ target }) => {
    const link = target.closest(".permalink");
    if (link) copyLink(link.closest(".msg").dataset.id, notice);
  });
}

/* The search comes with its first use: by its button, or by "/" while nobody writes. */
function searching(button, place, timeline, notice) {
  let search = null;
  const show = (id) => timeline.show(id);
  const use = async (how) => {
    try {
      const { Search } = await import("chat/search");
      search ??= new Search({ place, button, title: page.room.title, show });
    } catch {
      return notice(say("search.failed"), true);  // offline, and not fetched yet
    }
    how(search);
  };
  button.addEventListener("click", () => use((found) => found.toggle()));
  document.addEventListener("keydown", (event) => {
    const free = document.activeElement?.matches(":is(body, .log, .log *, .head *):not(textarea, input)");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !free) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    use((found) => found.open());
  }, { capture: true });
}

/* The people's column; on a narrow screen it comes in over the talk. */
function drawer(button, people) {
  const show = (open) => {
    document.body.dataset.people = open ? "open" : "shut";
    button.setAttribute("aria-expanded", open);
  };
  const isOpen = () => document.body.dataset.people === "open";
  button.addEventListener("click", () => {
    show(!isOpen());
    if (isOpen() && !WIDE.matches) people.querySelector("button")?.focus({ preventScroll: true });
  });
  WIDE.addEventListener("change", () => show(WIDE.matches && !page.embed));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || WIDE.matches || !isOpen()) return;
    show(false);
    button.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (!WIDE.matches && isOpen() && !people.contains(target) && !button.contains(target)) show(false);
  });
  people.addEventListener("focusout", ({ relatedTarget: next }) => {
    if (!WIDE.matches && isOpen() && next && !people.contains(next) && next !== button) show(false);
  });
  show(WIDE.matches && !page.embed);
}

function copying(button) {
  if (!navigator.clipboard) return button.remove();  // plain http on another host: the address bar has it
  const words = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href.split("#")[0]);
    } catch { return; /* not allowed: the address bar has it */ }
    button.textContent = say("link.copied");
    setTimeout(() => { button.textContent = words; }, 2_000);
  });
}

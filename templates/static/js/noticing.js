/* What someone should notice who looks elsewhere: a number in the tab's title and icon, a sound, a notification. While
   they read the newest, nothing of it happens. How far a room is read is shared with the browser's other tabs. */

import { always } from "chat/keep";
import { compareIds } from "chat/log";
import { mentionsMe } from "chat/mentions";
import { readUpTo } from "chat/read";
import { isolated, page, say } from "chat/words";

const WAIT_MS = 700;  // another tab may be the one that is looked at, and says so
const PAUSE_MS = 2_000;  // between two sounds

export class Noticing {
  #unread = 0;
  #mentions = 0;
  #last = null;  // the id heard last
  #title = page.room.title;
  #soundedAt = 0;

  /* *unread* knows whether the newest is read, *list* scrolls. */
  constructor({ unread, list }) {
    this.looking = unread;
    const look = () => this.look();
    document.addEventListener("visibilitychange", look);
    addEventListener("focus", look);
    list.addEventListener("scroll", look, { passive: true });
    addEventListener("storage", ({ key }) => key === "chat.read" && this.#isReadElsewhere() && this.#clear());
  }

  titled(title) {
    this.#title = title;
    this.#show();
  }

  /* Someone else said *message*, just now. */
  heard(message) {
    this.#last = message.id;
    if (this.looking.isRead) return;
    const me = mentionsMe(message.message);
    this.#unread++;
    if (me) this.#mentions++;
    this.#show();
    setTimeout(() => this.#tell(message, me), WAIT_MS);
  }

  /* Whoever looks now has seen all there is. */
  look() {
    if (this.looking.isRead) this.#clear();
  }

  #isReadElsewhere() {
    const read = readUpTo(page.room.key);
    return this.#last !== null && read !== null && compareIds(read, this.#last) >= 0;
  }

  #clear() {
    if (!this.#unread) return;
    this.#unread = this.#mentions = 0;
    this.#show();
  }

  #show() {
    const counts = [this.#mentions && `@${this.#mentions}`, this.#unread].filter(Boolean).join(" · ");
    document.title = `${counts && `(${counts}) `}${this.#title} · ${page.site}`;
    const icon = document.querySelector("link[rel=icon]");
    if (this.#unread || icon.dataset.plain) {
      import("chat/favicon").then(({ draw }) => draw(icon, this.#unread, this.#mentions));
    }
  }

  #tell(message, me) {
    if (!this.#unread || this.#isReadElsewhere()) return;
    const { sound, notify } = always.read("settings", {});
    if (sound && Date.now() - this.#soundedAt > PAUSE_MS) {
      this.#soundedAt = Date.now();
      import("chat/sound").then(({ chime }) => chime(me));
    }
    if (notify === "all" || (notify === "mentions" && me)) this.#notify(message);
  }

  #notify({ name, message }) {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    const title = say("notify.title", { name: isolated(name), room: isolated(this.#title) });
    try {
      const shown = new Notification(title, { body: message.slice(0, 200), tag: page.room.key, lang: page.lang });
      shown.onclick = () => { window.focus(); shown.close(); };
    } catch { /* some phones have notifications for workers only */ }
  }
}

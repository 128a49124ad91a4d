/* What replies are about: from the log where it is there, else asked for by id, some at a time. */

import { plainly } from "chat/rich";

const MOST = 20;  // asked for at once, as the server allows
const AGAIN_MS = 10_000;  // without an answer
const KEPT = 500;  // quotes of messages that are not in the log
const SHOWN = 160;  // characters

export class Quotes {
  #kept = new Map();  // id -> {id, name, text} or {id, gone}
  #wanted = new Map();  // id -> {id}
  #soon = null;  // the next time to ask, or to ask again
  #asked = false;
  #made = new WeakMap();  // item of the log -> its quote, and what that was made of

  /* *tell* sends a frame or returns false; *changed* is told that there is more to show. */
  constructor({ log, tell, changed }) {
    Object.assign(this, { log, tell, changed });
  }

  /* {id, from, name, text} of the message *id*; {id, gone} if there is none any more; {id} while that isn't known. */
  of(id) {
    const item = this.log.get(id);
    if (item) return this.#madeOf(item);
    const kept = this.#kept.get(id);
    if (kept) return kept;
    if (!this.#wanted.has(id)) this.#wanted.set(id, { id });
    this.#soon ??= setTimeout(() => this.#ask());  // once for all that are drawn now
    return this.#wanted.get(id);
  }

  /* The link is up. */
  open() {
    this.#asked = false;
    this.#ask();
  }

  got({ messages, missing }) {
    this.#asked = false;
    messages.forEach((message) => this.#keep(quoteOf(message)));
    missing.forEach((id) => this.#keep({ id, gone: true }));
    this.changed();
    this.#ask();
  }

  edit({ target, message, rich }) {
    const kept = this.#kept.get(target);
    if (kept) this.#kept.set(target, { ...kept, text: briefly({ message, rich }) });
  }

  remove(target) {
    if (this.#kept.has(target)) this.#kept.set(target, { id: target, gone: true });
  }

  /* The same as long as the item is. */
  #madeOf(item) {
    const made = this.#made.get(item);
    if (made?.message === item.message && made?.deleted === item.deleted) return made.quote;
    const quote = quoteOf(item);
    this.#made.set(item, { message: item.message, deleted: item.deleted, quote });
    return quote;
  }

  #ask() {
    clearTimeout(this.#soon);
    this.#soon = null;
    if (this.#asked || !this.#wanted.size) return;
    this.#asked = this.tell({ type: "get", ids: Array.from(this.#wanted.keys()).slice(0, MOST) });
    this.#soon = setTimeout(() => { this.#asked = false; this.#ask(); }, AGAIN_MS);
  }

  #keep(quote) {
    this.#wanted.delete(quote.id);
    this.#kept.set(quote.id, quote);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
  }
}

function quoteOf(item) {
  if (item.deleted) return { id: item.id, gone: true };
  return { id: item.id, from: item.from, name: item.name, text: briefly(item) };
}

export function briefly({ message, rich }) {
  const text = (rich ? plainly(rich) : message).replace(/\s+/g, " ").trim();
  return text.length > SHOWN ? `${text.slice(0, SHOWN).replace(/[\uD800-\uDBFF]$/, "")}…` : text;
}

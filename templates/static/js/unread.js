/* What is new to this reader: how far they have read, and the line before what came since. Someone reads while the
   newest is in sight and the page is looked at. */

import { compareIds } from "chat/log";
import { markRead, readUpTo } from "chat/read";

const SAVE_MS = 400;  // a busy room is not written down for each message
const LINGER_MS = 5_000;  // so long the line stays after all below it was seen

export class Unread {
  #seen;  // the last message seen
  #since = null;  // the line stands behind this one; null: there is none
  #read = false;  // what is below the line was seen
  #saving = null;
  #fading = null;

  /* *reads* tells whether the newest is in sight; *changed* is told when the line should look otherwise. */
  constructor({ key, log, isMine, reads, changed }) {
    Object.assign(this, { key, log, isMine, reads, changed });
    this.#seen = this.#since = readUpTo(key);
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#save() : this.look()));
    addEventListener("focus", () => this.look());
    addEventListener("pagehide", () => this.#save());
  }

  /* Someone else said something: if nobody looks, it is what begins the new. */
  arrived() {
    if (this.isRead || (this.#since !== null && !this.#read)) return;
    this.#since = this.#seen;
    this.#read = false;
    clearTimeout(this.#fading);
    this.#fading = null;
  }

  /* Whoever looks now has seen all there is. */
  look() {
    const last = this.log.items.at(-1)?.id ?? this.log.cursor;  // an empty room is read too: up to nothing
    if (last === null || !this.isRead) return;
    this.#seen = last;
    this.#saving ??= setTimeout(() => this.#save(), SAVE_MS);
    if (this.#since !== null && !this.#read) this.#fading ??= setTimeout(() => this.#fade(), LINGER_MS);
  }

  /* Does someone read the newest, just now? */
  get isRead() {
    return !document.hidden && document.hasFocus() && this.reads();
  }

  /* Where the line stands: {id, read}, before the first message of somebody else behind what was seen; null while that
     is not known, or nothing is new. */
  get line() {
    const place = this.#place();
    return place === null ? null : { id: this.log.items[place].id, read: this.#read };
  }

  /* How many messages are behind the line. */
  get count() {
    const place = this.#place();
    const since = place === null ? [] : this.log.items.slice(place);
    return since.filter((item) => item.message !== undefined && !this.isMine(item.from)).length;
  }

  #place() {
    if (this.#since === null) return null;
    const { items, more } = this.log;
    let place = this.log.placeOf({ id: this.#since, hole: true });
    if (items[place]?.hole || (place === 0 && more)) return null;  // it begins in what was not read yet
    while (place < items.length && (items[place].message === undefined || this.isMine(items[place].from))) place++;
    return place < items.length ? place : null;
  }

  #fade() {
    this.#fading = null;
    this.#read = true;
    this.changed();
  }

  #save() {
    clearTimeout(this.#saving);
    this.#saving = null;
    if (this.#seen !== null) markRead(this.key, this.#seen);
  }
}

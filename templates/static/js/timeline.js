/* The stretch of the log that is in the page, however much was said. Draws by comparing the rows that should be there
   with those that are, so drawing twice changes nothing and what stays is not touched. */

import { dayRow, emptyRow, label, line, newRow } from "chat/lines";
import { following } from "chat/log";
import { dress, newMessage } from "chat/message";
import { dayInWords, dayOf } from "chat/time";
import { say } from "chat/words";

const MOST = 240;  // messages in the page; beyond it the far end leaves
const MOST_AT_TAIL = 150;  // while the newest is in sight: a busy room pays for each row
const STEP = 60;
const TOGETHER_MS = 5 * 60_000;  // one person's messages this close stand under one name

export class Timeline {
  #from = 0;  // the window: items[#from] … items[#to - 1]
  #to = 0;
  #rows = new Map();  // key -> li
  endsAtTail = false;  // what is drawn

  /* *pending* gives the views of what is not in the log yet; *isMine* knows one's own id; *stuck* tells whether the
     reader is at the newest, so that the oldest may leave; *unread* gives {id, read}: before which message the line
     of what is new stands, and whether it is done; *shown* gives an item as it is seen. `show(id)` goes there. */
  constructor(parts) {
    Object.assign(this, parts);  // list, log, pending, isMine, stuck, unread, show, shown
  }

  get atTail() {
    return this.#to === this.log.items.length;
  }

  /* Nothing is known before the first message here: either nothing is there, or it has to be asked for. */
  get atHead() {
    return this.#from === 0 || Boolean(this.log.items[this.#from - 1].hole);
  }

  /* The id before which the server has more to show; null if it hasn't, or if that is known already. */
  get above() {
    if (!this.atHead || (this.#from === 0 && !this.log.more)) return null;
    const first = this.log.items.slice(this.#from, this.#to).find((item) => !item.gap);
    return first?.id ?? (this.log.cursor && following(this.log.cursor));
  }

  /* The id behind which the server has more to show, likewise. */
  get below() {
    return this.log.items[this.#to]?.hole ? this.log.items[this.#to].id : null;
  }

  /* The log's items moved: *count* came in at *place*, or went. */
  moved(place, count) {
    const before = this.log.items.length - count;
    const inside = place >= this.#from && (place < this.#to || (count > 0 && this.#to === before));
    if (count < -1) this.#from = this.#to = 0;
    else if (inside) this.#to += count;
    else if (place < this.#from) { this.#from += count; this.#to += count; }
    this.#shorten(!this.stuck());
  }

  earlier() {
    this.#from = this.#upFrom(this.#from);
    this.#shorten(true);
  }

  later() {
    this.#to = this.#downFrom(this.#to);
    this.#shorten(false);
  }

  newest() {
    if (this.atTail) return;
    this.#to = this.log.items.length;
    this.#from = this.#upFrom(this.#to, 2 * STEP);
  }

  /* The window goes to the item at *place*. */
  around(place) {
    this.#from = this.#upFrom(place);
    this.#to = this.#downFrom(place);
  }

  /* The row of the message *id*, if it is in the page. */
  rowOf(id) {
    const item = this.log.get(id);
    return item && this.#rows.get(item.key ?? id);
  }

  /* Up to *count* items on, but never over a hole: what is in the page is without one. */
  #upFrom(place, count = STEP) {
    const end = Math.max(0, place - count);
    while (place > end && !this.log.items[place - 1].hole) place--;
    return place;
  }

  #downFrom(place, count = STEP) {
    const end = Math.min(this.log.items.length, place + count);
    while (place < end && !this.log.items[place].hole) place++;
    return place;
  }

  draw(ready) {
    const rows = new Map();
    let place = this.list.firstElementChild;
    for (const [key, make, dressRow] of this.#wanted(ready)) {
      const row = this.#rows.get(key) ?? make();
      dressRow?.(row);
      rows.set(key, row);
      if (row === place) place = place.nextElementSibling; else this.list.insertBefore(row, place);
    }
    for (const [key, row] of this.#rows) if (!rows.has(key)) row.remove();
    this.#rows = rows;
    this.endsAtTail = this.atTail;
  }

  /* Beyond the most, drop the newest when someone reads upwards, else the oldest. */
  #shorten(readingUp) {
    const most = this.stuck() ? MOST_AT_TAIL : MOST;
    if (this.#to - this.#from <= most) return;
    if (readingUp) this.#to = this.#from + most; else this.#from = this.#to - most;
  }

  /* What should be in the page, in order: [key, how to make the row, how to dress it]. */
  *#wanted(ready) {
    const items = this.log.items.slice(this.#from, this.#to);
    const waiting = this.atTail ? this.pending() : [];
    if (ready && !items.length && !waiting.length) yield ["empty", emptyRow];
    const begins = this.#from === 0 && !this.log.more;
    if (ready && begins && items.length) yield ["begin", () => line("begin", say("log.begin"))];
    const unread = this.unread();
    let day = null;
    let last = null;
    for (const view of [...items, ...waiting]) {
      if (view.gap) yield [`gap:${view.id}`, () => line("gap", say(`log.gap.${view.gap}`))];
      else yield* this.#message(view, last, day, unread);
      last = view.gap ? null : view;
      day = view.gap ? day : dayOf(view.time);
    }
  }

  *#message(view, last, lastDay, unread) {
    const [day, key] = [dayOf(view.time), view.key ?? view.id];
    if (day !== lastDay) yield [`day:${day}:${key}`, dayRow, (row) => label(row, dayInWords(view.time))];
    const isNew = unread !== null && unread.id === view.id;
    if (isNew) yield [`new:${key}`, newRow, (row) => row.classList.toggle("read", unread.read)];
    const first = isNew || day !== lastDay || !last || !together(last, view);
    yield [key, newMessage, (row) => dress(row, this.shown(view), first, this.isMine)];
  }
}

const together = (a, b) => a.from === b.from && a.name === b.name && b.time - a.time <= TOGETHER_MS;

/* The stretch of the log that is in the page: at most 400 messages, however much was said. Draws by comparing the rows
   that should be there with those that are, so drawing twice changes nothing and what stays is not touched. */

import { dress, newMessage } from "chat/message";
import { dayInWords, dayOf } from "chat/time";
import { say } from "chat/words";

const MOST = 400;  // messages in the page; beyond it the far end leaves
const STEP = 60;
const TOGETHER_MS = 5 * 60_000;  // one person's messages this close stand under one name

export class Timeline {
  #from = 0;  // the window: items[#from] … items[#to - 1]
  #to = 0;
  #rows = new Map();  // key -> li

  /* *pending* gives the views of what is not in the log yet; *isMine* knows one's own id; *stuck* tells whether the
     reader is at the newest, so that the oldest may leave. */
  constructor({ list, log, pending, isMine, stuck }) {
    Object.assign(this, { list, log, pending, isMine, stuck });
  }

  get atTail() {
    return this.#to === this.log.items.length;
  }

  get atHead() {
    return this.#from === 0;
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
    this.#from = Math.max(0, this.#from - STEP);
    this.#shorten(true);
  }

  later() {
    this.#to = Math.min(this.log.items.length, this.#to + STEP);
    this.#shorten(false);
  }

  newest() {
    if (this.atTail) return;
    this.#to = this.log.items.length;
    this.#from = Math.max(0, this.#to - 2 * STEP);
  }

  draw(ready) {
    const rows = new Map();
    let place = this.list.firstElementChild;
    for (const [key, make, dressRow] of this.#wanted(ready)) {
      const row = this.#rows.get(key) ?? make();
      dressRow?.(row);
      rows.set(key, row);
      if (row === place) place = place.nextElementSibling;
      else this.list.insertBefore(row, place);
    }
    for (const [key, row] of this.#rows) if (!rows.has(key)) row.remove();
    this.#rows = rows;
  }

  /* Beyond MOST, drop the newest when someone reads upwards, else the oldest. */
  #shorten(readingUp) {
    if (this.#to - this.#from <= MOST) return;
    if (readingUp) this.#to = this.#from + MOST; else this.#from = this.#to - MOST;
  }

  /* What should be in the page, in order: [key, how to make the row, how to dress it]. */
  *#wanted(ready) {
    const items = this.log.items.slice(this.#from, this.#to);
    const waiting = this.atTail ? this.pending() : [];
    if (ready && !items.length && !waiting.length) yield ["empty", emptyRow];
    if (ready && this.atHead && !this.log.more && items.length) yield ["begin", () => line("begin", say("log.begin"))];
    let day = null;
    let last = null;
    for (const view of [...items, ...waiting]) {
      if (view.gap) yield [`gap:${view.id}`, () => line("gap", say(`log.gap.${view.gap}`))];
      else yield* this.#message(view, last, day);
      last = view.gap ? null : view;
      day = view.gap ? day : dayOf(view.time);
    }
  }

  *#message(view, last, lastDay) {
    const day = dayOf(view.time);
    const key = view.key ?? view.id;
    if (day !== lastDay) yield [`day:${day}:${key}`, dayRow, (row) => label(row, dayInWords(view.time))];
    const first = day !== lastDay || !last || !together(last, view);
    yield [key, newMessage, (row) => dress(row, view, first, this.isMine)];
  }
}

const together = (a, b) => a.from === b.from && a.name === b.name && b.time - a.time <= TOGETHER_MS;

function line(className, text) {
  const row = document.createElement("li");
  row.className = className;
  row.setAttribute("role", "note");
  row.textContent = text;
  return row;
}

function dayRow() {
  const row = line("day", "");
  row.setAttribute("role", "separator");
  return row;
}

/* Dressed at every drawing, so that "Today" becomes "Yesterday" on a page left open over night. */
function label(row, text) {
  if (row.textContent === text) return;
  row.textContent = text;
  row.setAttribute("aria-label", text);
}

function emptyRow() {
  const row = line("empty", "");
  const title = document.createElement("b");
  title.textContent = say("log.empty");
  row.append(title, say("log.emptyHint"));
  return row;
}

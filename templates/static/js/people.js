/* Who is here: the list, and who types. Persons, not tabs; above the server's limit only their number. */

import { faceOf } from "chat/face";
import { isolated, locale, say } from "chat/words";

const TYPING_MS = 5_000;  // without another word of it they have stopped
const compare = new Intl.Collator(locale, { sensitivity: "base", numeric: true }).compare;

export class People {
  count = null;  // null: not known yet
  #byId = new Map();  // id -> name; null when only the number is known
  #rows = new Map();  // id -> {name, row}
  #typing = new Map();  // id -> {name, timer}

  /* *me* gives the person's own {id, name}; *mine* is the row in which one changes one's name. */
  constructor({ list, label, mine, me, typingChanged }) {
    Object.assign(this, { list, label, mine, me, typingChanged });
  }

  all({ count, people }) {
    this.count = count;
    this.#byId = people ? new Map(people.map(({ id, name }) => [id, name])) : null;
    this.draw();
  }

  changed({ count, joins = [], leaves = [] }) {
    this.count = count;
    for (const { id } of leaves) this.#gone(id);
    for (const { id, name } of joins) this.#byId?.set(id, name);
    this.draw();
  }

  #gone(id) {
    this.#byId?.delete(id);
    this.#rows.delete(id);
    this.quiet(id);
  }

  typing(id, name) {
    this.quiet(id, false);
    this.#typing.set(id, { name, timer: setTimeout(() => this.quiet(id), TYPING_MS) });
    this.typingChanged();
  }

  /* They sent it, stopped or left. */
  quiet(id, tell = true) {
    clearTimeout(this.#typing.get(id)?.timer);
    if (this.#typing.delete(id) && tell) this.typingChanged();
  }

  /* "Ada and Björn are typing…", or nothing. */
  get typingInWords() {
    const [a, b, ...more] = Array.from(this.#typing.values(), ({ name }) => isolated(name));
    if (!a) return "";
    if (!b) return say("typing.one", { a });
    return more.length ? say("typing.many") : say("typing.two", { a, b });
  }

  /* One's own row is never moved: somebody's coming must not take the focus from a name being typed. */
  #show(rows) {
    if (!this.mine.row.isConnected) this.list.prepend(this.mine.row);
    for (const row of Array.from(this.list.children)) if (row !== this.mine.row && !rows.includes(row)) row.remove();
    this.list.append(...rows);
  }

  #row(id, name) {
    const known = this.#rows.get(id);
    if (known?.name === name) return known.row;
    const row = personRow(id, name);
    this.#rows.set(id, { name, row });
    return row;
  }

  draw() {
    const title = this.count === null ? say("people.here") : say("people.hereCount", { n: this.count });
    if (this.label.textContent !== title) this.label.textContent = title;
    const others = Array.from(this.#byId ?? []).filter(([id]) => id !== this.me().id);
    others.sort(([, a], [, b]) => compare(a, b));
    const rows = others.map(([id, name]) => this.#row(id, name));
    this.#show(this.#byId === null ? [note(say("people.tooMany"))] : rows);
  }
}

function personRow(id, name) {
  const item = document.createElement("li");
  const shown = document.createElement("bdi");
  shown.textContent = name;
  shown.title = name;
  item.append(faceOf(id), shown);
  return item;
}

function note(text) {
  const item = document.createElement("li");
  item.className = "you";
  item.textContent = text;
  return item;
}

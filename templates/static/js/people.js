/* Who is here: the list, and who types. Persons, not tabs; above the server's limit only their number. */

import { faceOf } from "chat/face";
import { markOf } from "chat/looks";
import { knowNames } from "chat/mentions";
import { markedAs } from "chat/message";
import { isolated, lazily, locale, say } from "chat/words";

const TYPING_MS = 5_000;  // without another word of it they have stopped
const order = lazily(() => new Intl.Collator(locale, { sensitivity: "base", numeric: true }));

export class People {
  count = null;  // null: not known yet
  #byId = new Map();  // id -> {id, name, looks}; null when only the number is known
  #rows = new Map();  // id -> {name, mark, row}
  #typing = new Map();  // id -> {name, timer}

  /* *me* gives the person's own {id, name}; *mine* is the row in which one changes one's name. */
  constructor({ list, label, typists, mine, me }) {
    Object.assign(this, { list, label, typists, mine, me });
  }

  all({ count, people }) {
    this.count = count;
    this.#byId = people ? new Map(people.map((person) => [person.id, person])) : null;
    this.draw();
  }

  changed({ count, joins = [], leaves = [] }) {
    this.count = count;
    for (const { id } of leaves) this.#gone(id);
    for (const person of joins) this.#byId?.set(person.id, person);
    this.draw();
  }

  /* Everybody else who is here, as far as they are listed, by name. */
  get others() {
    const others = Array.from(this.#byId?.values() ?? []).filter(({ id }) => id !== this.me().id);
    return others.sort((a, b) => order().compare(a.name, b.name));
  }

  #gone(id) {
    this.#byId?.delete(id);
    this.#rows.delete(id);
    this.quiet(id);
  }

  typing(id, name) {
    this.quiet(id, false);
    this.#typing.set(id, { name, timer: setTimeout(() => this.quiet(id), TYPING_MS) });
    this.#showTypists();
  }

  /* They sent it, stopped or left. */
  quiet(id, tell = true) {
    clearTimeout(this.#typing.get(id)?.timer);
    if (this.#typing.delete(id) && tell) this.#showTypists();
  }

  #showTypists() {
    this.typists.textContent = this.#typingInWords;
  }

  /* "Ada and Björn are typing…", or nothing. */
  get #typingInWords() {
    const [a, b, ...more] = Array.from(this.#typing.values(), ({ name }) => isolated(name));
    if (!a) return "";
    if (!b) return say("typing.one", { a });
    return more.length ? say("typing.many") : say("typing.two", { a, b });
  }

  /* One's own row is never moved: somebody's coming must not take the focus from a name being typed. */
  #show(rows) {
    if (!this.mine.row.isConnected) this.list.prepend(this.mine.row);
    const stay = new Set(rows);
    for (const row of Array.from(this.list.children)) if (row !== this.mine.row && !stay.has(row)) row.remove();
    let place = this.mine.row.nextElementSibling;
    for (const row of rows) {
      if (row === place) place = place.nextElementSibling; else this.list.insertBefore(row, place);
    }
  }

  #row({ id, name, looks }) {
    const mark = markOf(id, name, looks);
    const known = this.#rows.get(id);
    if (known?.name === name && known.mark === mark) return known.row;
    const row = personRow(id, name, mark);
    this.#rows.set(id, { name, mark, row });
    return row;
  }

  draw() {
    const title = this.count === null ? say("people.here") : say("people.hereCount", { n: this.count });
    if (this.label.textContent !== title) this.label.textContent = title;
    const { others } = this;
    knowNames(this.me().name, others.map(({ name }) => name));
    const rows = others.map((person) => this.#row(person));
    this.#show(this.#byId === null ? [note(say("people.tooMany"))] : rows);
  }
}

function personRow(id, name, mark) {
  const item = document.createElement("li");
  const shown = document.createElement("bdi");
  shown.textContent = name;
  shown.title = name;
  item.append(faceOf(id), shown, ...markedAs(mark));
  return item;
}

function note(text) {
  const item = document.createElement("li");
  item.className = "you";
  item.textContent = text;
  return item;
}

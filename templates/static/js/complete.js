/* "@name" and ":emoji:", completed while they are typed. A list box that the composer keeps the focus beside (WAI-ARIA:
   aria-activedescendant): arrows move, Enter and Tab take, Escape leaves it. Loaded with the first "@" or ":". */

import { faceOf } from "chat/face";
import { markOf } from "chat/looks";
import { say } from "chat/words";

const SHOWN = 6;
const NAME = /(?:^|[^A-Za-z0-9])@([^@\n]{0,32})$/;
// Two letters of an alphabet at least: an Enter behind ":D" or ":p" sends it. One is a word in Chinese.
const EMOJI = /(?:^|[^A-Za-z0-9:])[:：]([\p{L}\p{N}_+-]{2,20}|\p{Lo})$/u;

export class Completion {
  #list = Object.assign(document.createElement("ul"), { id: "completions", className: "completions", hidden: true });
  #found = [];
  #at = 0;
  #start = 0;  // where in the text the "@" or ":" stands
  #turn = 0;  // how often was looked: only the last look's answer counts
  #left = null;  // Escape was pressed for this one
  #emoji = null;

  /* *people* gives those who may be meant, [{id, name, looks}]. */
  constructor({ form, input, people }) {
    Object.assign(this, { input, people });
    this.#list.setAttribute("role", "listbox");
    this.#list.setAttribute("aria-label", say("complete.label"));
    form.append(this.#list);
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", this.#list.id);
    form.addEventListener("keydown", (event) => this.#pressed(event), true);  // before the composer sends
    input.addEventListener("input", () => this.#look());
    input.addEventListener("blur", () => this.#close());
    input.addEventListener("click", () => this.#look());
    this.#list.addEventListener("pointerdown", (event) => {
      event.preventDefault();  // the composer keeps the focus
      const item = event.target.closest("li");
      if (item) this.#take(Array.from(this.#list.children).indexOf(item));
    });
    this.#look();
  }

  async #look() {
    const turn = ++this.#turn;
    const before = this.input.value.slice(0, this.input.selectionEnd);
    const name = NAME.exec(before)?.[1];
    const named = name === undefined ? [] : this.#named(name);
    const asked = named.length ? name : EMOJI.exec(before)?.[1];
    if (asked === undefined) return this.#close();
    this.#start = before.length - asked.length - 1;
    if (this.#left === this.#start) return this.#close(false);
    const found = named.length ? named : await this.#pictured(asked);
    if (turn === this.#turn) this.#show(found);  // while the table was fetched, someone may have typed on
  }

  #named(asked) {
    const wanted = asked.toLowerCase();
    const fits = ({ name }) => [name, ...name.split(" ")].some((part) => part.toLowerCase().startsWith(wanted));
    return this.people().filter(fits).slice(0, SHOWN).map(({ id, name, looks }) => (
      { text: `@${name} `, parts: [faceOf(id), name, markOf(id, name, looks)] }));
  }

  async #pictured(asked) {
    this.#emoji ??= (await import("chat/emoji")).EMOJI;
    const wanted = asked.toLowerCase();
    const found = this.#emoji.flatMap(([picture, keys]) => {
      const word = keys.split(" ").find((each) => each.startsWith(wanted));
      return word ? [{ text: picture, word, parts: [picture, `:${word}:`] }] : [];
    });
    return found.sort((a, b) => a.word.length - b.word.length).slice(0, SHOWN);  // the closest first; sort is stable
  }

  #show(found) {
    this.#found = found;
    this.#list.replaceChildren(...found.map(({ parts }, place) => option(parts, place)));
    this.#list.hidden = !found.length;
    this.#go(0);
  }

  #go(place) {
    const count = this.#found.length;
    if (!count) return this.input.removeAttribute("aria-activedescendant");
    this.#at = (place + count) % count;
    Array.from(this.#list.children).forEach((item, each) => item.setAttribute("aria-selected", each === this.#at));
    this.input.setAttribute("aria-activedescendant", `completion-${this.#at}`);
  }

  #close(forget = true) {
    this.#turn++;  // what is still being fetched comes too late
    if (forget) this.#left = null;
    if (this.#found.length) this.#show([]);
  }

  #pressed(event) {
    if (!this.#found.length || event.isComposing || event.keyCode === 229 || event.shiftKey) return;
    const does = {
      ArrowDown: () => this.#go(this.#at + 1),
      ArrowUp: () => this.#go(this.#at - 1),
      Enter: () => this.#take(this.#at),
      Tab: () => this.#take(this.#at),
      Escape: () => { this.#left = this.#start; this.#close(false); },
    }[event.key];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }

  /* Through the editing history, so that undo takes it back. */
  #take(place) {
    const { text } = this.#found[place];
    const { input } = this;
    input.setSelectionRange(this.#start, input.selectionEnd);
    this.#close();
    const done = document.execCommand("insertText", false, text);
    if (!done) input.setRangeText(text, input.selectionStart, input.selectionEnd, "end");
    this.#close();
  }
}

function option(parts, place) {
  const item = document.createElement("li");
  item.id = `completion-${place}`;
  item.setAttribute("role", "option");
  item.append(...parts.filter(Boolean).map((part) => {
    if (part instanceof Node) return part;
    const text = document.createElement("bdi");
    text.textContent = part;
    return text;
  }));
  return item;
}

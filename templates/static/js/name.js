/* One's own row among the people, in which one changes one's name. */

import { faceOf } from "chat/face";
import { markOf } from "chat/looks";
import { markedAs } from "chat/message";
import { say } from "chat/words";

export class Name {
  row = document.createElement("li");
  limit = 32;
  #me = { id: "", name: "" };
  #input = null;  // while it is being changed
  #mark = "";

  /* *rename* is given the new name. */
  constructor({ rename }) {
    this.rename = rename;
    this.row.className = "me";
  }

  show(me) {
    const mark = markOf(me.id, me.name, me.looks);
    const shows = me.id === this.#me.id && me.name === this.#me.name && mark === this.#mark && this.row.firstChild;
    this.#me = me;
    this.#mark = mark;
    if (!this.#input && !shows) this.#rest(this.row.contains(document.activeElement));
  }

  refused(words) {
    this.#edit();
    const why = document.createElement("p");
    why.className = "refusal";
    why.setAttribute("role", "alert");
    why.textContent = words;
    this.row.append(why);
  }

  #rest(focus = false) {
    this.#input = null;
    const name = document.createElement("bdi");
    name.textContent = name.title = this.#me.name;
    const you = document.createElement("span");
    you.className = "you";
    you.textContent = say("people.you");
    const both = document.createElement("span");
    both.className = "name";
    both.append(name, ...markedAs(this.#mark), you);
    const change = document.createElement("button");
    change.type = "button";
    change.className = "quiet-button";
    change.textContent = say("people.rename");
    change.addEventListener("click", () => this.#edit());
    this.row.replaceChildren(faceOf(this.#me.id), both, change);
    if (focus) change.focus();
  }

  #edit() {
    const form = document.createElement("form");
    const input = document.createElement("input");
    Object.assign(input, { value: this.#me.name, maxLength: 2 * this.limit, dir: "auto", enterKeyHint: "done" });
    input.setAttribute("aria-label", say("people.name"));
    input.autocomplete = "nickname";
    form.append(input);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#done(); });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.stopPropagation(); this.#rest(true); }
    });
    input.addEventListener("blur", () => this.#input === input && this.#done());
    this.row.replaceChildren(faceOf(this.#me.id), form);
    this.#input = input;
    input.focus();
    input.select();
  }

  #done() {
    const name = this.#input.value.trim();
    this.#rest(document.activeElement === this.#input);
    if (name && name !== this.#me.name) this.rename(name);
  }
}

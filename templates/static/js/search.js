/* Looking for what was said in this room. Fetched when first asked for. The browser's own search stays what it is: this
   one finds what is not in the page. */

import { marked } from "chat/marks";
import { ago, exactly, stamp } from "chat/time";
import { knows, page, say } from "chat/words";

const PAUSE_MS = 400;

export class Search {
  #asked = "";  // the query whose hits are shown
  #next = null;  // where to look further
  #timer = null;
  #asking = null;

  /* *place* is where it appears, *button* opens and closes it, *show* brings a message into sight. */
  constructor({ place, button, show, title }) {
    Object.assign(this, { button, show });
    this.input = element("input");
    Object.assign(this.input, { type: "search", dir: "auto", maxLength: 200, enterKeyHint: "search" });
    this.input.setAttribute("aria-label", say("search.field", { room: title }));
    this.input.placeholder = say("search.field", { room: title });
    this.status = element("p", "status");
    this.status.setAttribute("role", "status");
    this.found = element("ol");
    this.further = element("button", "further", say("search.further"));
    Object.assign(this.further, { type: "button", hidden: true });
    const close = element("button", "close", "×");
    close.type = "button";
    close.setAttribute("aria-label", say("search.close"));
    const form = element("form");
    form.setAttribute("role", "search");
    form.append(this.input, close);
    this.panel = element("section", "search");
    this.panel.hidden = true;
    this.panel.append(form, this.status, this.found, this.further);
    place.append(this.panel);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#entered(); });
    this.input.addEventListener("input", () => this.#typed());
    close.addEventListener("click", () => this.close());
    this.further.addEventListener("click", () => this.#look(this.#asked, this.#next));
    this.panel.addEventListener("keydown", (event) => this.#pressed(event));
    this.found.addEventListener("click", (event) => this.#chose(event));
  }

  toggle() {
    if (this.panel.hidden) this.open(); else this.close();
  }

  open() {
    this.panel.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.input.focus();
    this.input.select();
  }

  close() {
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    if (matchMedia("(pointer: fine)").matches) document.getElementById("chat-message-input").focus();
    else document.activeElement.blur();  // a phone's keyboard would cover what was looked for
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(this.input.value.trim()), PAUSE_MS);
  }

  /* Enter asks at once; once more, and it goes to the newest hit. */
  #entered() {
    clearTimeout(this.#timer);
    const query = this.input.value.trim();
    if (query === this.#asked) this.found.querySelector("a")?.click(); else this.#look(query);
  }

  async #look(query, before = null) {
    this.#asking?.abort();
    if (!query) return this.#show([], { query, words: "" });
    this.#asking = new AbortController();
    try {
      const asked = new URLSearchParams(before ? { q: query, before } : { q: query });
      const answer = await fetch(`${page.room.path}search?${asked}`, { signal: this.#asking.signal });
      const told = await answer.json();
      if (!answer.ok) return this.#show([], { query: "", words: wordsFor(told) });  // Enter asks once more
      const shown = before ? [...this.found.children] : [];
      const rows = [...shown, ...told.found.map((message) => row(message, query))];
      this.#show(rows, { query, words: summary(rows.length, told), next: told.complete ? null : told.looked_to });
    } catch (error) {
      if (error.name !== "AbortError") this.#show([], { query: "", words: say("search.failed") });
    }
  }

  #show(rows, { query, words, next = null }) {
    this.#asked = query;
    this.#next = next;
    this.found.replaceChildren(...rows);
    this.status.textContent = words;
    if (next === null && document.activeElement === this.further) this.input.focus();  // else nothing would have it
    this.further.hidden = next === null;
  }

  #chose(event) {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    this.close();
    this.show(link.hash.slice(1));
  }

  /* Down and up walk through the field and the hits. */
  #pressed(event) {
    if (event.key === "Escape") return event.stopPropagation(), this.close();
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [this.input, ...this.found.querySelectorAll("a")];
    const next = stops[stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}

function wordsFor({ error, message }) {
  return knows(`search.${error}`) ? say(`search.${error}`) : message;
}

function summary(count, { looked_to: lookedTo, complete }) {
  const words = count ? say("search.some", { n: count }) : say("search.none");
  return complete ? words : `${words} ${say("search.looked", { when: exactly(Number(lookedTo.split("-")[0])) })}`;
}

function row({ id, name, time, message }, query) {
  const link = element("a");
  link.href = `#${id}`;
  const who = element("bdi", "who", name);
  const text = element("span", "text");
  text.dir = "auto";
  text.append(...marked(message, query));
  link.append(who, stamp(time, ago(time)), text);
  const item = element("li");
  item.append(link);
  return item;
}

function element(name, className = "", text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

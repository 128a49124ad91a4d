/* The index' rooms, kept true while somebody looks: asked for every 15 s, answered with an empty 304 while nothing has
   changed. The first list came with the page; a row that says what it said stays the node it is. */

import { ago, exactly } from "chat/time";
import { say } from "chat/words";

const EVERY_MS = 15_000;

export class Lobby {
  #rows = new Map();  // path -> {row, shows}

  /* *live* and *visited* are sections with a list; *empty* and *away* say why there is none; *rooms*: those visited. */
  constructor({ live, empty, away, visited, rooms }) {
    Object.assign(this, { live, empty, away, visited, rooms });
  }

  start() {
    this.#refresh();
    setInterval(() => document.hidden || this.#refresh(), EVERY_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.#refresh());
  }

  async #refresh() {
    try {
      const answer = await fetch("/chat/rooms");  // the browser's own cache asks with the tag
      if (answer.ok) this.#draw(await answer.json());
    } catch { /* offline: what was true stays */ }
  }

  #draw({ rooms, away }) {
    this.live.hidden = !rooms.length;
    this.empty.hidden = away || rooms.length > 0;
    this.away.hidden = !away;
    const rows = rooms.map((room) => this.#row(room));
    const list = this.live.querySelector("ul");
    const stays = list.children.length === rows.length && rows.every((row, i) => list.children[i] === row);
    const held = document.activeElement;
    if (!stays) list.replaceChildren(...rows);
    if (list.contains(held)) held.focus();  // a row that moves would lose it
    this.drawVisited(rooms);
  }

  /* The rooms one has been to that are not among the *open* ones. */
  drawVisited(open) {
    const others = this.rooms.filter(({ path }) => !open.some((room) => room.path === path));
    this.visited.hidden = !others.length;
    this.visited.querySelector("ul").replaceChildren(...others.map(({ title, path }) => {
      const item = element("li");
      const link = element("a", "", title);
      Object.assign(link, { href: path, dir: "auto" });
      item.append(link);
      return item;
    }));
  }

  #row(room) {
    const shows = JSON.stringify([room, ago(room.at)]);
    const known = this.#rows.get(room.path);
    if (known?.shows === shows) return known.row;
    const row = known?.row ?? element("li");
    const link = known?.row.firstChild ?? row.appendChild(element("a"));  // who has the focus on it keeps it
    link.href = room.path;
    link.replaceChildren(...parts(room));
    this.#rows.set(room.path, { row, shows });
    return row;
  }
}

function* parts({ title, name, said, people, at }) {
  const heading = element("b", "", title);
  heading.dir = "auto";
  yield heading;
  const words = element("span", "said");
  if (!said) words.textContent = say("index.silent");
  else words.append(...(name ? [element("bdi", "", name), say("index.colon")] : []), element("bdi", "", said));
  yield words;
  const time = element("time", "", ago(at));
  Object.assign(time, { dateTime: new Date(at).toISOString(), title: exactly(at) });
  yield time;
  const count = element("span", "n");
  if (people) {
    const digits = element("span", "", people);
    digits.setAttribute("aria-hidden", "true");
    count.append(element("span", "dot"), digits, element("span", "unseen", say("index.people", { n: people })));
  }
  yield count;
}

function element(name, className = "", text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

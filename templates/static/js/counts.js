/* How much is unread in the other rooms someone has been to. The server counts what came after the last message read
   here; it learns of no room but those that are asked for. */

import { readUpTo } from "chat/read";
import { visited } from "chat/rooms";
import { page, say } from "chat/words";

const EVERY_MS = 30_000;  // while someone looks
const SOON_MS = 400;
const LONGEST = 6_000;  // characters of an address
const MOST = 100;  // as the server counts

let shown = {};  // room's key -> count
let soon = null;

/* Begins to count: beside the rooms in *list*, and whether there is anything on *toggle*. */
export function countIn(list, toggle) {
  const ask = async () => { shown = { ...shown, ...await asked() }; show(list, toggle); };
  const later = () => { soon ??= setTimeout(() => { soon = null; ask(); }, SOON_MS); };
  setInterval(() => document.hidden || ask(), EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || later());
  addEventListener("storage", ({ key }) => key === "chat.read" && !document.hidden && later());
  new MutationObserver(() => show(list, toggle)).observe(list, { childList: true });
  ask();
}

async function asked() {
  const counts = {};
  for (const query of queries()) {
    try {
      const answer = await fetch(`/chat/unread?${query}`, { credentials: "omit" });
      if (answer.ok) Object.assign(counts, (await answer.json()).rooms);
    } catch { /* offline: what was known stays */ }
  }
  return counts;
}

/* The questions, none of them too long for a proxy on the way. */
function queries() {
  const found = [new URLSearchParams()];
  for (const { key } of visited()) {
    const id = key === page.room.key ? null : readUpTo(key);
    if (id === null) continue;
    if (found.at(-1).toString().length + 9 * key.length > LONGEST) found.push(new URLSearchParams());
    found.at(-1).append(key, id);
  }
  return found.map(String).filter(Boolean);
}

function show(list, toggle) {
  for (const link of list.querySelectorAll("a[data-key]")) {
    const count = link.dataset.key === page.room.key ? 0 : shown[link.dataset.key] ?? 0;
    if (Number(link.dataset.unread ?? 0) === count) continue;
    link.dataset.unread = count;
    link.querySelector(".count")?.remove();
    if (count) link.append(badge(count));
  }
  toggle.classList.toggle("has-new", list.querySelector(".count") !== null);
}

function badge(count) {
  const number = document.createElement("b");
  number.className = "count";
  number.textContent = count >= MOST ? "99+" : count;
  number.title = say("rooms.unread", { n: count });
  const words = document.createElement("span");
  words.className = "unseen";
  words.textContent = ` ${say("rooms.unreadMark")}`;
  number.append(words);
  return number;
}

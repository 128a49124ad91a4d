/* The rooms visited with this browser, in the order of the first visit, so that the list holds still. */

import { always } from "chat/keep";

const MOST = 30;  // then the one not visited for longest goes

const isRoom = (room) => [room?.key, room?.title].every((text) => typeof text === "string") && isPath(room.path);
const isPath = (path) => /^\/chat\/[^/]+\/$/.test(path);

/* The rooms visited, in the order of their first visit: {key, title, path, at}. */
export const visited = () => always.read("rooms", []).filter(isRoom);

/* Notes the visit of *room* ({key, title, path}) and shows the list. */
export function visit(list, room) {
  const known = visited();
  const at = known.findIndex(({ key }) => key === room.key);
  const entry = { ...room, at: Date.now() };
  if (at < 0) known.push(entry); else known[at] = entry;
  if (known.length > MOST) known.splice(oldestOf(known), 1);
  always.write("rooms", known);
  list.replaceChildren(...known.map((each) => link(each, each.key === room.key)));
  requestAnimationFrame(() => showCurrent(list));  // laid out anyway by then
}

/* In a long list the room one is in may be out of sight. */
export function showCurrent(list) {
  list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
}

const oldestOf = (rooms) => rooms.reduce((oldest, { at }, i) => (at < rooms[oldest].at ? i : oldest), 0);

function link({ key, title, path }, current) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  const name = document.createElement("bdi");
  name.textContent = link.title = title;
  link.href = path;
  link.dataset.key = key;
  link.append(name);
  if (current) link.setAttribute("aria-current", "page");
  item.append(link);
  return item;
}

/* How far each room has been read with this browser: the id of the last message that was seen. One map for all rooms,
   shared by all tabs. */

import { compareIds } from "chat/log";
import { always } from "chat/keep";

const MOST = 100;  // rooms; beyond it the one read longest ago is forgotten
const isId = (id) => typeof id === "string" && /^\d{1,16}-\d{1,16}$/.test(id);

/* The last message seen in the room *key*; null if none ever was. */
export function readUpTo(key) {
  const id = always.read("read", {})?.[key];
  return isId(id) ? id : null;
}

/* The room *key* has been read up to *id*; never back. */
export function markRead(key, id) {
  const known = readUpTo(key);
  if (known !== null && compareIds(known, id) >= 0) return;
  const all = Object.entries({ ...always.read("read", {}), [key]: id }).filter(([, each]) => isId(each));
  all.sort(([, a], [, b]) => compareIds(b, a));
  always.write("read", Object.fromEntries(all.slice(0, MOST)));
}

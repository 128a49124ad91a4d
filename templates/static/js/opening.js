/* The way to the room, and the first connection, begun before anything else is done: while it is made, the page is put
   together. Nothing of it is missed: what arrives waits until this script's turn is over, and by then it is heard. */

import { always } from "chat/keep";
import { frameSession } from "chat/session";
import { page } from "chat/words";

let first = dial(null, always.read("name", ""));

/* A socket to the room, from *cursor* on (null: with the newest messages), for someone called *name*. */
function dial(cursor, name) {
  const url = new URL(page.socket, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (cursor === null) url.searchParams.set("history", page.history); else url.searchParams.set("after", cursor);
  if (name) url.searchParams.set("name", name);
  if (page.embed) url.searchParams.set("session", frameSession());
  return new WebSocket(url, "chat.v1");
}

/* The first is there already. */
export function open(cursor, name) {
  const socket = first ?? dial(cursor, name);
  first = null;
  return socket;
}

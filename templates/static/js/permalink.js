/* The address of one message: the room's, and behind it the message's id. */

import { page, say } from "chat/words";

const addressOf = (id) => new URL(`${page.room.path}#${id}`, location.href).href;

/* *time*, a <time>, as a link to the message *id*. No stop for Tab: four hundred of them would stand before the
   composer. */
export function linked(id, time) {
  if (!id) return time;
  const link = document.createElement("a");
  link.className = "permalink";
  link.href = `#${id}`;
  link.tabIndex = -1;
  link.append(time);
  return link;
}

/* Puts the address of *id* on the clipboard; *notice* says so. Where no clipboard is given, the address bar has it. */
export async function copyLink(id, notice) {
  try {
    await navigator.clipboard.writeText(addressOf(id));
    notice(say("link.copied"));
  } catch { /* plain http on another host, or not allowed */ }
}

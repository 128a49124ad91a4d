/* What stands beside the talk: the rooms' column, the bell, names that are told apart. Most of it is fetched when the
   talk is there. */

import { roomsDrawer } from "chat/drawer";
import { tellApart } from "chat/looks";
import { Noticing } from "chat/noticing";
import { page } from "chat/words";

export function beside(room, { at, list, isMine }) {
  room.noticing = new Noticing({ list, unread: room.unread });
  tellApart({ changed: onceAFrame(() => redraw(room)), oneself: (id) => (isMine(id) ? room.me.id : id) });
  behindTheBell(at("settings"), at("settings-toggle"));
  if (page.embed) return;  // in another site's frame one is in this room and nowhere else
  roomsDrawer(at("rooms-toggle"), at("rooms-nav"), at("chat-message-input"));
  const idle = window.requestIdleCallback ?? setTimeout;
  idle(() => import("chat/counts").then(({ countIn }) => countIn(at("rooms"), at("rooms-toggle")), () => {}));
}

/* Two names turned out to look alike: whatever shows one of them is drawn anew. */
function redraw({ people, mine, me, reader }) {
  people.draw();
  mine.show(me);
  reader.draw();
}

function onceAFrame(then) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; then(); });
  };
}

function behindTheBell(popover, bell) {
  let settled = null;
  popover.addEventListener("beforetoggle", ({ newState }) => {
    if (newState !== "open") return;
    const { bottom, right } = bell.getBoundingClientRect();
    popover.style.setProperty("--top", `${bottom + 6}px`);
    popover.style.setProperty("--end", `${Math.max(8, document.documentElement.clientWidth - right)}px`);
    settled ??= import("chat/settings").then(({ settle }) => settle(popover, bell));
    settled.catch(() => { settled = null; });  // offline: the next time
  });
}

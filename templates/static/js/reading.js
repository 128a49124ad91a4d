/* What one reads, put together: the log, the stretch of it in the page, the reader's place, what is asked for, what is
   new. The room gets the parts by their names. */

import { Jump } from "chat/jump";
import { Log } from "chat/log";
import { Pages } from "chat/pages";
import { Reader } from "chat/reader";
import { Timeline } from "chat/timeline";
import { Unread } from "chat/unread";
import { page } from "chat/words";

/* *pending* gives the views of what is not in the log yet; *isMine* knows one's own ids; *notice* shows a line. */
export function reading(room, { list, button, isMine, pending, notice }) {
  const log = new Log({ moved: (place, count) => timeline.moved(place, count) });
  const stuck = () => reader.stuck;
  const unread = new Unread({ key: page.room.key, log, isMine, reads: stuck, changed: () => reader.draw() });
  const show = (id) => jump.to(id);
  const shown = (view) => room.changes.shown(view);
  const timeline = new Timeline({ list, log, pending, isMine, stuck, unread: () => unread.line, show, shown });
  const ask = (frame) => room.known && room.connection.ask(frame);
  const pages = new Pages({ log, ask, came, changed: busy });
  const reader = new Reader({ list, button, timeline, pages, ready: () => room.known, seen: () => unread.look() });
  const jump = new Jump({ log, timeline, reader, pages, notice });

  /* The log is there for the first time: begin where the address points, else where the new begins, or at the end. */
  function opened() {
    if (!jump.follow()) reader.begin(unread.count);
  }

  function arrived() {
    reader.arrived();
    unread.arrived();
  }

  function came(wanted) {
    if (wanted !== null) jump.arrived(wanted);
    reader.draw();
  }

  /* While older messages come in, a screen reader shall not read them out as if they were said now. */
  function busy() {
    list.setAttribute("aria-busy", pages.busy || !room.known);
  }

  return { log, timeline, reader, pages, unread, opened, arrived, busy };
}

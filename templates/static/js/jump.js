/* Going to one message, wherever it is: in the page, in what is known of the log, or far back on the server. Also how
   one gets here with an address that ends in a message's id. */

import { say } from "chat/words";

const ID = /^#(\d{1,16}-\d{1,16})$/;
const SHOWN_MS = 3_000;

export class Jump {
  #marked = null;
  #timer = null;

  constructor({ log, timeline, reader, pages, notice }) {
    Object.assign(this, { log, timeline, reader, pages, notice });
    addEventListener("hashchange", () => this.follow());
  }

  /* Where the address points to; false if that is no message. */
  follow() {
    const id = ID.exec(location.hash)?.[1];
    if (id) this.to(id);
    return Boolean(id);
  }

  to(id) {
    if (this.log.get(id)) this.#show(id); else this.pages.around(id);
  }

  /* All there is of *id* has come: itself, or what was said right before it. */
  arrived(id) {
    if (this.log.get(id)) return this.#show(id);
    const nearest = this.log.items.slice(0, this.log.placeOf({ id })).findLast((item) => !item.gap && !item.hole);
    if (nearest) this.#show(nearest.id);
    this.notice(nearest ? say("jump.gone") : say("jump.allGone"));
  }

  #show(id) {
    if (!this.timeline.rowOf(id)) this.timeline.around(this.log.placeOf({ id }));
    this.reader.show(() => this.timeline.rowOf(id));
    this.#mark(this.timeline.rowOf(id));
  }

  #mark(row) {
    this.#marked?.classList.remove("shown");
    clearTimeout(this.#timer);
    this.#marked = row;
    row.classList.add("shown");
    this.#timer = setTimeout(() => row.classList.remove("shown"), SHOWN_MS);
  }
}

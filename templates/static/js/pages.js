/* What this page asks the room's history for: one page at a time, since the server answers one at a time and leaves
   out the rest. Knows the log and the socket, nothing of the DOM. */

import { following } from "chat/log";

const PAGE = 100;  // messages asked for at once

export class Pages {
  #asked = null;  // {before} or {after}, on its way
  #wanted = null;  // the message someone wants to see, which is not here yet

  /* *ask* sends a frame or returns false; *came* is told that messages came in, and with *wanted* that whoever wants
     that message has all there is of it; *changed* that something is on its way, or no longer. */
  constructor({ log, ask, came, changed }) {
    Object.assign(this, { log, ask, came, changed });
  }

  get busy() {
    return this.#asked !== null;
  }

  before(id) {
    this.#send({ before: id });
  }

  after(id) {
    this.#send({ after: id });
  }

  /* Brings the message *id* and what was said before it; at once, or when the link is up again. */
  around(id) {
    this.#wanted = id;
    this.#send({ before: following(id) });
  }

  got(frame) {
    const asked = this.#asked;
    this.#become(null);
    if (asked && (frame.before !== asked.before || frame.after !== asked.after)) return this.#send(asked);
    if (frame.before !== undefined) this.log.earlier(frame.before, frame.messages, frame.more);
    else this.#later(frame);
    if (this.#wanted === null) return this.came(null);
    if (this.#wantedCame(frame)) this.came(this.#taken()); else this.around(this.#wanted);
  }

  /* Is what was said right before *id* here? Else an item put there would hide what is missing behind it. */
  reaches(id) {
    const before = this.log.items[this.log.placeOf({ id }) - 1];
    return before ? !before.hole : !this.log.more;
  }

  open() {
    if (this.#wanted !== null) this.around(this.#wanted);
  }

  lost() {
    this.#become(null);
  }

  #later({ after, messages, position, more, gap }) {
    this.log.later(after, messages, position, more);
    if (gap) this.log.add({ id: after, gap });
  }

  #wantedCame(frame) {
    return this.log.get(this.#wanted) !== undefined || frame.before === following(this.#wanted);
  }

  #taken() {
    const wanted = this.#wanted;
    this.#wanted = null;
    return wanted;
  }

  #send(question) {
    if (this.#asked === null && this.ask({ type: "history", limit: PAGE, ...question })) this.#become(question);
  }

  #become(asked) {
    if (this.#asked === asked) return;
    this.#asked = asked;
    this.changed();
  }
}

/* Where someone reads. At the newest it follows what is said; further up it holds the place, whatever comes above or
   below, fetches what is older in time, and says that there is something new instead of scrolling away. */

import { say } from "chat/words";

const NEAR = 60;  // px: so close to the end counts as being there
const AHEAD = 900;  // px: fetch before it is needed

export class Reader {
  stuck = true;
  #unseen = 0;
  #drawing = false;

  /* *older* asks the server for older messages; *ready* tells whether the log is known yet. */
  constructor({ list, button, timeline, log, older, ready }) {
    Object.assign(this, { list, button, timeline, log, older, ready });
    list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    button.addEventListener("click", () => this.toNewest());
    new ResizeObserver(() => this.#settle()).observe(list);
  }

  /* Draw with the next frame, once for all that happened until then. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#drawNow();
    });
  }

  /* Someone else said something. */
  arrived() {
    if (!this.stuck) this.#unseen++;
  }

  toNewest() {
    this.stuck = true;
    this.timeline.newest();
    this.draw();
  }

  #drawNow() {
    const hold = this.stuck ? null : this.#anchor();
    this.timeline.draw(this.ready());
    if (hold && hold.row.isConnected) this.list.scrollTop += hold.row.offsetTop - hold.top;
    this.#settle();
    this.#reach();
  }

  #settle() {
    if (this.stuck) this.list.scrollTop = this.list.scrollHeight;
    this.#offer();
  }

  /* The first message in sight, which shall not move. */
  #anchor() {
    const top = this.list.scrollTop + this.list.offsetTop;
    const rows = this.list.querySelectorAll(".msg");
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].offsetTop + rows[middle].offsetHeight <= top) low = middle + 1; else high = middle;
    }
    return low < rows.length ? { row: rows[low], top: rows[low].offsetTop } : null;
  }

  #scrolled() {
    this.stuck = this.timeline.atTail && this.#below < NEAR;
    this.#offer();
    this.#reach();
  }

  get #below() {
    return this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight;
  }

  /* Show more of the log where the reader comes near the end of what is shown. */
  #reach() {
    if (this.list.scrollTop < AHEAD) this.#reachUp();
    if (this.#below < AHEAD && !this.timeline.atTail) {
      this.timeline.later();
      this.draw();
    }
  }

  #reachUp() {
    if (this.timeline.atHead) {
      if (this.log.more) this.older();
    } else if (!this.stuck || this.list.scrollHeight < this.list.clientHeight + AHEAD) {
      this.timeline.earlier();
      this.draw();
    }
  }

  #offer() {
    if (this.stuck) this.#unseen = 0;
    const nearly = this.timeline.atTail && this.#below < this.list.clientHeight;
    this.button.hidden = this.stuck || (this.#unseen === 0 && nearly);
    this.button.classList.toggle("has-new", this.#unseen > 0);
    const text = this.#unseen ? say("newest.some", { n: this.#unseen }) : say("newest.none");
    if (this.button.textContent !== text) this.button.textContent = text;
  }
}

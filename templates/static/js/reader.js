/* Where someone reads. At the newest it follows what is said; further up it holds the place, whatever comes above or
   below, fetches what is older in time, and says that there is something new instead of scrolling away. */

import { Pace } from "chat/pace";
import { say } from "chat/words";

const NEAR = 60;  // px: so close to the end counts as being there
const AHEAD = 1_500;  // px: fetch before it is needed

export class Reader {
  stuck = true;
  #unseen = 0;
  #pace = new Pace(() => this.#drawNow());
  #hold = null;  // {row, edge}: the first message in sight, and where in sight it ends (its name may come or go)
  #top = 0;  // px: as far as it was scrolled then
  #height = 0;  // px: how much of it was in sight
  #sizes = new ResizeObserver(() => this.#settle());  // pictures and fonts change a row long after it was drawn
  #watched = new Set();  // the rows that were observed

  /* *ready* tells whether the log is known yet; *seen* is told when someone looks at what is in sight. */
  constructor({ list, button, timeline, pages, ready, seen }) {
    Object.assign(this, { list, button, timeline, pages, ready, seen });
    list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    button.addEventListener("click", () => this.toNewest());
    this.#sizes.observe(list);
  }

  draw = () => this.#pace.ask();

  edited = () => this.#scrolled();  // someone begins or ends to edit a row: meanwhile it is not scrolled away

  /* Someone else said something. */
  arrived() {
    if (!this.stuck) this.#unseen++;
  }

  toNewest() {
    this.stuck = true;
    this.timeline.newest();
    this.draw();
  }

  /* The log's first appearance, with *count* new messages at its end: if the line before them would be out of sight,
     one begins there. */
  begin(count) {
    this.#drawNow();
    const line = this.list.querySelector(".new");
    if (!line || line.offsetTop - this.list.offsetTop >= this.list.scrollTop) return;
    this.#unseen = count;
    this.show(() => line);
  }

  /* The row that *rowOf* gives once all is drawn comes into sight, with something of what was before it. */
  show(rowOf) {
    this.stuck = false;
    this.timeline.draw(this.ready());
    this.list.scrollTop = rowOf().offsetTop - this.list.offsetTop - this.list.clientHeight / 4;
    this.#scrolled();
    this.#watch();
  }

  #drawNow() {
    if (this.list.scrollTop !== this.#top) this.#remember();  // scrolled, and not told yet
    this.timeline.draw(this.ready());
    this.#watch();
    this.#settle();
    this.#reach();
    this.seen();
  }

  /* Called back before the next picture is shown. Once for each row: observing it again would call back again. */
  #watch() {
    for (const row of this.list.children) if (!this.#watched.has(row)) this.#sizes.observe(row);
    this.#watched = new Set(this.list.children);
  }

  /* Nothing in sight moves, whatever came or grew above it. */
  #settle() {
    if (this.stuck) this.list.scrollTop = this.list.scrollHeight;
    else if (this.#hold?.row.isConnected) this.list.scrollTop = bottomOf(this.#hold.row) - this.#hold.edge;
    this.#remember();
    this.#offer();
  }

  #remember() {
    this.#top = this.list.scrollTop;
    this.#height = this.list.clientHeight;
    this.#hold = this.stuck ? null : this.#firstInSight();
  }

  #firstInSight() {
    const top = this.list.scrollTop + this.list.offsetTop;
    const rows = this.list.querySelectorAll(".msg");
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bottomOf(rows[middle]) <= top) low = middle + 1; else high = middle;
    }
    return low < rows.length ? { row: rows[low], edge: bottomOf(rows[low]) - this.list.scrollTop } : null;
  }

  #scrolled() {
    if (this.stuck && this.list.clientHeight !== this.#height) return this.#settle();  // a keyboard came up
    this.stuck = this.timeline.endsAtTail && this.#below < NEAR && !this.list.querySelector(".editing");
    this.#remember();
    this.#offer();
    this.#reach();
    this.seen();
  }

  get #below() {
    return this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight;
  }

  /* Show more of the log near the end of what is shown; not before all that has come is drawn, lest it slides away. */
  #reach() {
    if (this.#pace.isAsked) return;
    if (this.list.scrollTop < AHEAD) this.#reachUp();
    if (this.#below < AHEAD && !this.timeline.atTail) this.#reachDown();
  }

  #reachUp() {
    const { above, atHead } = this.timeline;
    if (above !== null) this.pages.before(above);
    else if (!atHead && (!this.stuck || this.list.scrollHeight < this.list.clientHeight + AHEAD)) {
      this.timeline.earlier();
      this.draw();
    }
  }

  #reachDown() {
    const { below } = this.timeline;
    if (below !== null) return this.pages.after(below);
    this.timeline.later();
    this.draw();
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
const bottomOf = (row) => row.offsetTop + row.offsetHeight;

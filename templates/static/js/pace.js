/* When to draw: with the next frame, once for all that was asked for until then. After a drawing that took long, the
   browser's own part of it included, the next one rests a multiple of that, so that whoever types in a busy room is
   answered in between: then rows come in fewer, larger steps. */

const REST = 2;  // times what the last drawing took
const LONGEST_MS = 250;
const FRAME_MS = 16;

export class Pace {
  isAsked = false;
  #until = 0;

  constructor(draw) {
    this.draw = draw;
  }

  ask() {
    if (this.isAsked) return;
    this.isAsked = true;
    const rest = this.#until - performance.now();
    if (rest > FRAME_MS) setTimeout(() => this.#next(), rest); else this.#next();
  }

  #next() {
    requestAnimationFrame(() => {
      const began = performance.now();
      this.isAsked = false;
      this.draw();
      setTimeout(() => this.#rest(performance.now() - began));  // when the frame is out
    });
  }

  #rest(took) {
    this.#until = took > FRAME_MS ? performance.now() + Math.min(REST * took, LONGEST_MS) : 0;
  }
}

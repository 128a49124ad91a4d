/* What others say, for whoever hears the page. The log itself keeps silent to a screen reader: it is filled from far
   back, drawn anew, and in a busy room would talk without end. Here the new is said in turn, and when that is much, how
   much. */

import { briefly } from "chat/quotes";
import { say } from "chat/words";

const PAUSE_MS = 1_000;  // between two announcements
const EACH = 3;  // more at once are counted

export class Aloud {
  #waiting = [];
  #timer = null;

  /* What is put into *place* is read out. */
  constructor(place) {
    this.place = place;
  }

  /* Someone else said *message*, just now. */
  heard(message) {
    if (!document.hidden) this.say(`${message.name}: ${briefly(message)}`);
  }

  say(text) {
    this.#waiting.push(text);
    this.#timer ??= setTimeout(() => this.#speak(), PAUSE_MS);
  }

  #speak() {
    const all = this.#waiting.splice(0);
    this.#timer = null;
    this.place.textContent = all.length > EACH ? say("newest.some", { n: all.length }) : all.join("\n");
  }
}

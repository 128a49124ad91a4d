/* The line that never lies: live with so many people, connecting, or offline with so many messages waiting here. */

import { knows, say } from "chat/words";

const PATIENCE_MS = 2_500;  // a short break is only "Connecting…"

export class State {
  #live = false;
  #ended = null;  // why, in words, once the connection has ended for good
  #brokenAt = 0;
  #timer = null;

  /* *facts* gives {people, waiting}. */
  constructor({ button, text, announce, facts }) {
    Object.assign(this, { button, text, announce, facts });
    this.#brokenAt = Date.now();
  }

  live() {
    this.#live = true;
    this.#ended = null;
    this.draw();
  }

  broken() {
    if (this.#live) this.#brokenAt = Date.now();
    this.#live = false;
    this.draw();
  }

  ended(code) {
    this.#live = false;
    this.#ended = knows(`ended.${code}`) ? say(`ended.${code}`) : say("ended.other", { code });
    this.draw();
  }

  draw() {
    const [state, words] = this.#words();
    clearTimeout(this.#timer);
    if (state === "connecting") this.#timer = setTimeout(() => this.draw(), this.#brokenAt + PATIENCE_MS - Date.now());
    this.text.textContent = words;
    if (this.button.dataset.state === state) return;
    this.button.dataset.state = state;
    this.announce.textContent = words;  // only when it turns: nobody wants every arrival read out
  }

  #words() {
    const { people, waiting } = this.facts();
    if (this.#ended !== null) return ["ended", this.#ended];
    if (this.#live) return ["live", people ? say("state.people", { n: people }) : say("state.live")];
    if (Date.now() < this.#brokenAt + PATIENCE_MS) return ["connecting", say("state.connecting")];
    return ["offline", waiting ? say("state.waiting", { n: waiting }) : say("state.offline")];
  }
}

/* A WebSocket that heals. Knows frames as JSON objects and nothing of rooms or pages.

   Comes back after every close that a client may come back from: after the delay the server asked for, else with full
   jitter between 0.5 s and 20 s, so that a thousand pages don't return in one second. Ends for good on the others.
   A link can die without a close (a sleeping laptop, a changed network): whoever asks something that must be answered
   says so with `ask`, and silence for too long counts as a close. */

const SHORTEST_MS = 500;
const LONGEST_MS = 20_000;
const LONGEST_WISH_MS = 300_000;  // no server keeps us away for longer
const STABLE_MS = 60_000;  // open for so long, and the next fault starts again with short delays
const OPENING_MS = 15_000;  // then the attempt counts as failed
const ANSWER_MS = 10_000;  // then the link counts as dead

const COMES_BACK = new Set([1000, 1001, 1005, 1006, 1011, 1012, 1013]);
const comesBack = (code) => COMES_BACK.has(code) || (code >= 4000 && code <= 4499);

/* Half a character can be pasted, and is no JSON to the server: it could not even say whose send it refused. */
const wellFormed = (_, value) => (typeof value === "string" ? value.replace(/\p{Cs}/gu, "\ufffd") : value);

export class Connection {
  state = "closed";  // closed | connecting | open | waiting | ended
  #socket = null;
  #failures = 0;
  #heardAt = 0;
  #askedDelay = null;  // ms, from the server
  #timers = {};

  /* *open* gives the next attempt's WebSocket; *heard* gets each frame; *changed* is told the state, and the close. */
  constructor({ open, heard, changed }) {
    Object.assign(this, { open, heard, changed });
  }

  start() {
    this.#clear("return");
    this.#become("connecting");
    const socket = this.open();
    const mine = (listener) => (event) => socket === this.#socket && listener(event);
    this.#socket = socket;
    socket.onopen = mine(() => this.#opened());
    socket.onmessage = mine((event) => this.#got(event.data));
    socket.onclose = mine((event) => this.#lost(event.code, event.reason));
    this.#after("opening", OPENING_MS, () => this.#lost(1006, ""));
  }

  /* Something changed for the better (the network is back, the page is looked at): don't sit out the wait, unless the
     server asked for it. */
  hurry() {
    if (this.state === "waiting" && this.#askedDelay === null) this.start();
  }

  /* Milliseconds since anything was heard on this link. */
  silentFor() {
    return Date.now() - this.#heardAt;
  }

  /* Sends *frame*; false when there is no open link. */
  tell(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame, wellFormed));
    return true;
  }

  /* Sends *frame*, which the server will answer with one of its own. */
  ask(frame) {
    if (!this.tell(frame)) return false;
    this.#timers.answer ??= setTimeout(() => this.#lost(1006, ""), ANSWER_MS);
    return true;
  }

  #opened() {
    this.#clear("opening");
    this.#askedDelay = null;
    this.#heardAt = Date.now();
    this.#after("stable", STABLE_MS, () => { this.#failures = 0; });
    this.#become("open");
  }

  #got(text) {
    this.#clear("answer");
    this.#heardAt = Date.now();
    let frame;
    try { frame = JSON.parse(text); } catch { return; }
    if (frame.type === "going-away") this.#askedDelay = frame.delay;
    this.heard(frame);
  }

  #lost(code, reason) {
    const socket = this.#socket;
    this.#forget();
    socket?.close();
    if (!comesBack(code)) return this.#become("ended", { code, reason });
    const delay = this.#delay(reason);
    this.#after("return", delay, () => { this.#askedDelay = null; this.start(); });
    this.#become("waiting", { code, reason, delay });
  }

  #delay(reason) {
    const told = /come back in (\d+) ms/.exec(reason);
    if (told) this.#askedDelay = Number(told[1]);
    if (this.#askedDelay !== null) return Math.min(this.#askedDelay, LONGEST_WISH_MS);
    const ceiling = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** ++this.#failures);
    return SHORTEST_MS + Math.random() * (ceiling - SHORTEST_MS);
  }

  #forget() {
    this.#socket = null;
    Object.keys(this.#timers).forEach((name) => this.#clear(name));
  }

  #become(state, close = {}) {
    this.state = state;
    this.changed(state, close);
  }

  #after(name, ms, then) {
    this.#clear(name);
    this.#timers[name] = setTimeout(then, ms);
  }

  #clear(name) {
    clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }
}

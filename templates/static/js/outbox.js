/* What was typed and is not yet in the log, in the order it was typed. Knows nothing of sockets or pages.

   An entry is `waiting`, then `sent`, then gone: settled by its echo. When the link breaks, everything sent is waiting
   again, with the ref it had, so that the server stores it once. After a refusal that may pass nothing leaves until all
   that was sent is answered: it would overtake what is refused behind that one. A refusal that won't pass makes the
   entry `failed`, for a person to decide. The tab keeps all of it, so a reload loses nothing. */

export const MOST = 200;  // beyond it `add` refuses: nobody means to send so much at once
const UNDER_WAY = 16;  // entries sent and not yet answered
const PAUSE_MS = 1_000;  // after a refusal, doubled with each further one
const LONGEST_PAUSE_MS = 10_000;

export class Outbox {
  entries;  // {ref, text, at, state, words, reply, change}
  #open = false;
  #refusals = 0;
  #pause = null;
  #refused = false;  // and something that was sent has no answer yet

  /* *send* puts an entry on the wire or returns false; *save* keeps the entries; *changed* is told of every change. */
  constructor({ saved, send, save, changed }) {
    Object.assign(this, { send, save, changed });
    this.entries = saved.filter((entry) => entry?.ref && typeof entry.text === "string").slice(0, MOST);
    this.#recall();
  }

  get waiting() {
    return this.entries.filter((entry) => entry.state !== "failed" && !entry.change).length;
  }

  /* The entries as messages to be shown, said by *me*. */
  views(me) {
    return this.entries.filter((entry) => !entry.change).map(({ ref, text, at, state, words, reply }) => (
      { key: `ref:${ref}`, ref, from: me.id, name: me.name, time: at, message: text, state, words, reply }));
  }

  /* The changes of the message *id* that are not in the log yet. */
  changesOf(id) {
    return this.entries.filter(({ change }) => change && change.id === id).map(({ change }) => change);
  }

  /* *more*: {reply}, the id this answers; or {change} instead of a text. False when the outbox is full. */
  add(text, more = {}) {
    if (this.entries.length >= MOST) return false;
    this.entries.push({ ref: newRef(), text, at: Date.now(), state: "waiting", ...more });
    this.#flush();
    return true;
  }

  /* The link is up, and what it missed has been read: whatever has no echo yet goes again. */
  open() {
    this.#open = true;
    this.#flush();
  }

  /* The link is down. */
  shut() {
    this.#open = false;
    this.#go();
    this.#recall();
    this.#tell();
  }

  /* The entry of *ref*, which the log has: it leaves. */
  settle(ref) {
    const entry = this.#take(ref);
    if (!entry) return undefined;
    this.#refusals = 0;
    this.#flush();
    return entry;
  }

  /* Returns the change that was refused for good: it leaves, since what it was about is still there to be seen. */
  refuse(ref, { retryable, words }) {
    const entry = this.entries.find((each) => each.ref === ref);
    if (!entry) return undefined;
    if (retryable) this.#rest(entry, words);
    else if (entry.change) this.#take(ref);
    else Object.assign(entry, { state: "failed", words });
    this.#flush();
    return retryable ? undefined : entry.change;
  }

  /* What the server hung up on for good is not sent again by itself. */
  fail(words) {
    this.entries = this.entries.filter(({ change, state }) => !change || state !== "sent");
    for (const entry of this.entries) if (entry.state === "sent") Object.assign(entry, { state: "failed", words });
    this.#tell();
  }

  /* A failed one once more, at the end; as a new send, unless nobody said that it was refused: it may be stored. */
  again(ref) {
    const { text, reply, words } = this.#take(ref) ?? {};
    if (text) this.add(text, { reply, ...(words ? {} : { ref }) });
  }

  discard(ref) {
    this.#take(ref);
    this.#tell();
  }

  #flush() {
    this.#refused &&= this.entries.some(({ state }) => state === "sent");
    if (this.#open && !this.#pause && !this.#refused) this.#sendNext();
    this.#tell();
  }

  #sendNext() {
    let room = UNDER_WAY - this.entries.filter((entry) => entry.state === "sent").length;
    for (const entry of this.entries) {
      if (entry.state !== "waiting") continue;
      if (room-- <= 0 || !this.send(entry)) return;
      entry.state = "sent";
    }
  }

  /* Full jitter here too: a log that comes back should not meet every page at once. */
  #rest(entry, words) {
    Object.assign(entry, { state: "waiting", words });
    this.#refused = true;
    if (this.#pause) return;
    const longest = Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** this.#refusals++);
    this.#pause = setTimeout(() => { this.#go(); this.#flush(); }, PAUSE_MS / 2 + Math.random() * longest);
  }

  #go() {
    clearTimeout(this.#pause);
    this.#pause = null;
  }

  #recall() {
    for (const each of this.entries) if (each.state !== "failed") Object.assign(each, { state: "waiting", words: "" });
  }

  #take(ref) {
    const place = this.entries.findIndex((entry) => entry.ref === ref);
    return place < 0 ? undefined : this.entries.splice(place, 1)[0];
  }

  #tell() {
    this.save(this.entries);
    this.changed();
  }
}

function newRef() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(36).padStart(2, "0")).join("");
}

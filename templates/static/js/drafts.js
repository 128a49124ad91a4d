/* What was begun and not sent, room by room, kept in this browser for a month. */

import { always } from "chat/keep";

const SAVE_MS = 300;
const MOST = 30;  // rooms; the draft begun longest ago goes first
const KEPT_MS = 30 * 86_400_000;

export class Draft {
  #text = null;  // not written down yet
  #timer = null;

  constructor(key) {
    this.key = key;
    addEventListener("pagehide", () => this.#save());
  }

  get text() {
    const kept = all()[this.key]?.text;
    return typeof kept === "string" ? kept : "";
  }

  keep(text) {
    this.#text = text;
    this.#timer ??= setTimeout(() => this.#save(), SAVE_MS);
  }

  #save() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#text === null) return;
    const { [this.key]: _, ...others } = all();
    const drafts = this.#text.trim() ? { ...others, [this.key]: { text: this.#text, at: Date.now() } } : others;
    always.write("drafts", pruned(drafts));
    this.#text = null;
  }
}

const all = () => always.read("drafts", {}) ?? {};

function pruned(drafts) {
  const kept = Object.entries(drafts).filter(([, { at } = {}]) => Date.now() - at < KEPT_MS);
  return Object.fromEntries(kept.sort(([, a], [, b]) => b.at - a.at).slice(0, MOST));
}

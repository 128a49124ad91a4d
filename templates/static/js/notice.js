/* The line below the composer: what concerns the text being written, and for a while what has just happened. It is read
   out too, but for what changes with each letter. */

const READ_MS = 6_000;

export class Notice {
  #stays = { text: "", warn: false };
  #timer = null;

  /* *line* shows it, *announce* is read out. */
  constructor({ line, announce }) {
    Object.assign(this, { line, announce });
  }

  /* Of the text being written, until that is another one. */
  stay(text = "", warn = false) {
    const { text: before, warn: warned } = this.#stays;
    if (text === before) return;
    this.#stays = { text, warn };
    this.#show(this.#stays);
    if (warn && !warned) this.announce.textContent = text;
  }

  pass(text, warn = false) {
    this.#show({ text, warn });
    this.announce.textContent = text;
    this.#timer = setTimeout(() => this.#show(this.#stays), READ_MS);
  }

  #show({ text, warn }) {
    clearTimeout(this.#timer);
    this.line.textContent = text;
    this.line.classList.toggle("warn", warn);
  }
}

/* Where one types. Enter sends, Shift+Enter breaks the line, and an Enter that ends a composition (Chinese, Japanese,
   Korean) does neither. Grows with the text, up to a part of the screen. */

import { grow } from "chat/grow";
import { page, say } from "chat/words";

const TYPING_MS = 3_000;  // tell others at most this often
const WARN_FROM = 200;  // characters left

export class Composer {
  limit = 4_000;  // code points; the server says its own
  #toldAt = 0;
  #completion = null;

  /* *send* gets a text and says whether it was taken; *typing* is told that someone types; *advice* is shown;
     *draft* keeps what is not sent yet; *people* gives whom one may mean with "@". */
  constructor({ form, input, send, typing, advice, draft, people }) {
    Object.assign(this, { form, input, send, typing, advice, draft, people });
    input.value ||= draft.text;  // unless someone was faster than this script
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    input.addEventListener("keydown", (event) => this.#pressed(event));
    input.addEventListener("input", () => this.#typed());
    document.addEventListener("keydown", (event) => this.#catch(event));
    if (!page.embed) input.focus({ preventScroll: true });  // a frame takes nothing from the page around it
    grow(this.input);
    this.#count();
  }

  /* Whom one writes to. */
  to(room) {
    this.input.placeholder = say("composer.to", { room });
    this.input.setAttribute("aria-label", this.input.placeholder);
  }

  #pressed(event) {
    // Safari ends the composition before it tells of the Enter that ended it: only 229 gives that one away.
    const composing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    if (!event.repeat) this.#submit();
  }

  #submit() {
    const text = this.input.value.replace(/\s+$/, "");
    if (!text.trim() || this.#left(text) < 0 || !this.send(text)) return this.input.focus();
    this.input.value = "";
    this.#toldAt = 0;
    this.#typed();
    this.input.focus();
  }

  #typed() {
    grow(this.input);
    this.draft.keep(this.input.value);
    this.#complete();
    this.#count();
    if (this.input.value && Date.now() - this.#toldAt > TYPING_MS) {
      this.#toldAt = Date.now();
      this.typing();
    }
  }

  /* The first "@" or ":" brings what completes them. */
  #complete() {
    if (this.#completion || !/[@:：]/.test(this.input.value)) return;
    const { form, input, people } = this;
    this.#completion = import("chat/complete").then(({ Completion }) => new Completion({ form, input, people }));
    this.#completion.catch(() => { this.#completion = null; });  // offline: the next one tries again
  }

  #count() {
    const left = this.#left(this.input.value);
    if (left < 0) this.advice(say("composer.over", { n: -left }), true);
    else this.advice(left < WARN_FROM ? say("composer.left", { n: left }) : "");
  }

  #left(text) {
    if (text.length < this.limit - WARN_FROM) return this.limit - text.length;  // near enough, and cheap
    return this.limit - Array.from(text.normalize("NFC")).length;
  }

  /* By how many characters *text* is too long. */
  over(text) {
    return Math.max(0, -this.#left(text));
  }

  /* Someone reads, then simply types: the letters belong here. */
  #catch(event) {
    const plain = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && event.key !== " ";
    if (plain && document.activeElement?.matches("body, .log")) this.input.focus();
  }
}

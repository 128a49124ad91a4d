/* What one does with a message. The buttons that messages bear work from the start; the rest (the toolbar, editing,
   answering, the picker, the sheet of keys) is loaded when someone first reaches for it. */

import { Changes } from "chat/changes";
import { Quotes } from "chat/quotes";
import { page, say } from "chat/words";

const REACHES = ["pointerover", "pointerdown", "focusin"];
const COPIED_MS = 2_000;

export function deeds(room, { list, input, form, isMine, notice, advice }) {
  const tell = (frame) => room.known && room.connection.tell(frame);
  const quotes = new Quotes({ log: room.log, tell, changed: () => room.reader.draw() });
  const changes = new Changes({ outbox: room.outbox, quotes, me: () => room.me });
  const answering = new Answering({ form, input });

  let hands = null;  // the toolbar and what hangs on it, once it is here
  const mayChange = (from) => !page.embed && isMine(from);  // a session in an address gives no right to it
  const answer = (item) => answering.begin(item);
  const taken = { room, list, input, isMine, mayChange, changes, notice, advice, answer };
  const reach = () => {
    hands ??= Promise.all([import("chat/actions"), styled(list)]).then(([{ Actions }]) => new Actions(taken));
    return hands.catch(() => { hands = null; });  // no link: the next reach tries again
  };
  const reached = async (event) => (await reach())?.reached(event);
  REACHES.forEach((what) => list.addEventListener(what, reached, { passive: true }));

  list.addEventListener("click", ({ target }) => {
    const button = target.closest("button[data-do]");
    const item = room.log.get(button?.closest(".msg")?.dataset.id);
    if (button?.dataset.do === "show") room.timeline.show(button.dataset.of);
    if (button?.dataset.do === "copy") copy(button);
    if (button?.dataset.do === "react" && item) {
      changes.react(item.id, button.dataset.emoji, button.getAttribute("aria-pressed") !== "true");
    }
  });

  input.addEventListener("keydown", async (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") answering.end();
    if (event.key !== "ArrowUp" || input.value || event.shiftKey || event.altKey || event.metaKey) return;
    const own = room.log.items.findLast((item) => item.message !== undefined && mayChange(item.from));
    if (!own) return;
    event.preventDefault();
    (await reach())?.edit(own.id);
  });

  const keys = () => Promise.all([import("chat/keys"), styled(list)]).then(([{ showKeys }]) => showKeys(), () => {});
  document.getElementById("show-keys")?.addEventListener("click", keys);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    keys();
  });
  return { quotes, changes, answering };
}

/* How all that looks comes with it. */
function styled(list) {
  const sheet = document.querySelector(`link[href="${list.dataset.style}"]`) ?? document.createElement("link");
  if (sheet.sheet) return null;
  return new Promise((here, failed) => {
    sheet.addEventListener("load", here);
    sheet.addEventListener("error", () => { sheet.remove(); failed(); });
    Object.assign(sheet, { rel: "stylesheet", href: list.dataset.style });
    document.head.append(sheet);
  });
}

/* Which message the text being written answers. */
class Answering {
  #bar = null;

  constructor({ form, input }) {
    Object.assign(this, { form, input });
  }

  async begin(item) {
    const { answerBar } = await import("chat/answer");
    this.end();
    this.id = item.id;
    this.#bar = answerBar(item, () => this.end());
    this.form.before(this.#bar);
    this.input.focus();
  }

  end() {
    if (!this.#bar) return;
    const within = this.#bar.contains(document.activeElement);
    this.#bar.remove();
    this.#bar = this.id = null;
    if (within) this.input.focus();
  }

  /* What goes along with the text that is sent now. */
  taken() {
    const more = this.id ? { reply: this.id } : {};
    this.end();
    return more;
  }
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.closest(".code").querySelector("pre").textContent);
  } catch { return; /* not allowed: it can be marked by hand */ }
  button.textContent = say("code.copied");
  setTimeout(() => { button.textContent = say("code.copy"); }, COPIED_MS);
}

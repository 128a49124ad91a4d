/* The signs a message bears: what it answers, that it was edited or deleted, reactions, why it was not sent. */

import { stamp } from "chat/time";
import { say } from "chat/words";

export function goneOf({ deleted }) {
  return stamp(deleted, say("message.deleted"));
}

/* What it answers; the page goes there when it is pressed (deeds.js). */
export function quoteOf({ id, name, text, gone }) {
  const quote = element("button", "quote");
  quote.type = "button";
  Object.assign(quote.dataset, { do: "show", of: id });
  quote.disabled = Boolean(gone);
  const who = element("bdi");
  who.textContent = name ?? (gone ? say("quote.gone") : say("quote.far"));
  const words = element("bdi", "words");
  words.textContent = text ?? "";
  quote.append(who, words);
  if (name) quote.setAttribute("aria-label", say("quote.of", { name, text }));
  return quote;
}

export function* afterOf(view, isMine) {
  if (view.edited) {
    const mark = stamp(view.edited, say("message.edited"));
    mark.className = "edited";
    yield mark;
  }
  if (Object.keys(view.reactions ?? {}).length) yield reactionsOf(view.reactions, isMine);
  if (view.state === "failed") yield tailOf(view);
  else if (view.words) yield patienceOf(view);
}

function reactionsOf(reactions, isMine) {
  const row = element("div", "reactions");
  for (const [emoji, fans] of Object.entries(reactions)) {
    const mine = fans.some(isMine);
    const one = element("button", mine ? "mine" : "");
    one.type = "button";
    one.textContent = `${emoji} ${fans.length}`;
    one.setAttribute("aria-pressed", mine);
    one.setAttribute("aria-label", say("reaction.of", { n: fans.length, emoji }));
    Object.assign(one.dataset, { do: "react", emoji });
    row.append(one);
  }
  return row;
}

/* Why it is still here, though the link is there. */
function patienceOf({ words }) {
  const line = element("div", "waits");
  line.textContent = words;
  return line;
}

/* Why it was not sent, and what to do about it. The page listens to the buttons by `data-do`. */
function tailOf(view) {
  const tail = element("div", "tail");
  const why = element("span");
  why.textContent = say("message.failed", { why: view.words ?? "" });
  tail.append(why, action("again", view.ref), action("discard", view.ref));
  return tail;
}

function action(name, ref) {
  const button = element("button");
  button.type = "button";
  button.textContent = say(`message.${name}`);
  Object.assign(button.dataset, { do: name, ref });
  return button;
}

function element(name, className = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  return node;
}

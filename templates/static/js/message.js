/* One message as an <li>. `dress` may be called as often as one likes: each part is rebuilt only when what it shows has
   changed, so a pending message settles in place and a screen reader isn't told twice. */

import { faceOf } from "chat/face";
import { markOf } from "chat/looks";
import { mark as markMentions, version as namesKnown } from "chat/mentions";
import { linked } from "chat/permalink";
import { nodesOf } from "chat/rich";
import { afterOf, goneOf, quoteOf } from "chat/signs";
import { isOnlyEmoji } from "chat/text";
import { briefly, hourAndMinute, stamp } from "chat/time";
import { say } from "chat/words";

const parts = new WeakMap();  // li -> {part: what it shows}
const worn = new WeakMap();  // li -> the view it shows, as it was then

export function newMessage() {
  const item = element("li", "msg");
  item.setAttribute("role", "article");
  item.append(element("div", "margin"), element("div", "body"));
  item.lastChild.append(element("div", "byline"), element("div", "text"), element("div", "after"));
  item.querySelector(".text").dir = "auto";
  parts.set(item, {});
  return item;
}

/* *view*: {id, key, ref, from, name, time, message, rich, quote, edited, deleted, reactions, state, words};
   *first*: of its author's row. */
export function dress(item, view, first, isMine) {
  const mark = markOf(view.from, view.name, view.looks);
  const names = view.message?.includes("@") && namesKnown();
  if (!isNews(item, { ...view, first, mine: isMine(view.from), mark, names })) return;
  const [margin, body] = item.children;
  const [byline, after] = [body.firstChild, body.lastChild];
  const text = after.previousSibling;
  item.dataset.id = view.id ?? "";
  part(item, "state", [first, view.state], () => {
    item.classList.toggle("first", first);
    item.classList.toggle("pending", view.state === "waiting" || view.state === "sent");
    item.classList.toggle("failed", view.state === "failed");
  });
  part(item, "margin", [first, view.from, view.time, view.id], () => margin.replaceChildren(marginOf(view, first)));
  part(item, "byline", [first, view.name, view.time, view.id, mark], () => {
    byline.replaceChildren(bylineOf(view, first, mark));
  });
  part(item, "quote", [view.quote], () => {
    if (byline.nextSibling !== text) byline.nextSibling.remove();
    if (view.quote) byline.after(quoteOf(view.quote));
  });
  part(item, "text", [view.message, view.rich, view.deleted, names], () => {
    text.replaceChildren(...(view.deleted ? [goneOf(view)] : view.rich ? nodesOf(view.rich) : [view.message]));
    item.classList.toggle("mention", !view.deleted && markMentions(text) && !isMine(view.from));
    text.classList.toggle("large", !view.deleted && isOnlyEmoji(view.message));
    item.classList.toggle("deleted", Boolean(view.deleted));
  });
  part(item, "after", [view.edited, view.reactions, view.state === "failed", view.words], () => {
    const held = after.contains(document.activeElement) ? document.activeElement.dataset.emoji : undefined;
    after.replaceChildren(...afterOf(view, isMine));
    if (held) holdOn(item, Array.from(after.querySelectorAll("button")).find(({ dataset }) => dataset.emoji === held));
  });
}

/* The focus stays on *button*, or, if it is gone, at its message. */
function holdOn(item, button) {
  if (!button) item.tabIndex = -1;
  (button ?? item).focus();
}

/* Whether anything about *view* is other than *item* shows: in a busy room each row is asked in each frame. */
function isNews(item, view) {
  const known = worn.get(item);
  const keys = Object.keys(view);
  if (known && keys.length === Object.keys(known).length && keys.every((key) => view[key] === known[key])) return false;
  worn.set(item, view);
  return true;
}

function part(item, name, shows, build) {
  const signature = JSON.stringify(shows);
  const known = parts.get(item);
  if (known[name] === signature) return;
  known[name] = signature;
  build();
}

function marginOf(view, first) {
  if (first) return faceOf(view.from);
  const time = stamp(view.time, briefly(view.time));
  time.className = "gutter";
  return linked(view.id, time);
}

function bylineOf(view, first, mark) {
  const who = element("bdi", first ? "who" : "unseen");
  who.textContent = first ? view.name : `${view.name}: `;
  if (!first) return who;  // a screen reader hears who goes on speaking
  const header = element("header");
  header.append(who, ...markedAs(mark), linked(view.id, stamp(view.time, hourAndMinute(view.time))));
  return header;
}

/* What tells apart whose names look alike. */
export function* markedAs(mark) {
  if (!mark) return;
  const tag = element("span", "tag");
  tag.textContent = mark;
  tag.title = say("people.alike");
  yield tag;
}

function element(name, className = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  return node;
}

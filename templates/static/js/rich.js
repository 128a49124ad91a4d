/* A message's formatting as nodes. The server made a small tree of it (docs/protocol.md, "Rich text"); what is built
   here comes from one table of kinds, so nothing in a message can become anything else. A kind that isn't in it is from
   a later server: its text is shown. */

import { say } from "chat/words";

const SCHEMES = new Set(["http:", "https:", "mailto:"]);
const HOSTS = /(?<=^|:\/\/)[^\s/?#\\]+/g;  // what stands where an address has its host
const DOT = /[.\u3002\uff0e\uff61]/;  // browsers take the Chinese and Japanese ones for it
const ADDRESS_LIKE = /:\/\/|^www\.|^[\w-]+(\.[\w-]+)+(\/|$)/i;

const INLINE = new Set(["b", "i", "s", "code", "a"]);
const HEADS = { a: 1, li: 1, pre: 1 };  // how much of a node is no child of it

const kinds = {
  b: ([, ...nodes]) => holding("strong", nodes),
  i: ([, ...nodes]) => holding("em", nodes),
  s: ([, ...nodes]) => holding("s", nodes),
  code: ([, text]) => holding("code", [text]),
  a: ([, address, ...nodes]) => linkTo(address, nodes),
  p: ([, ...nodes]) => holding("p", nodes),
  quote: ([, ...nodes]) => holding("blockquote", nodes),
  ul: ([, ...items]) => holding("ul", items),
  ol: ([, ...items]) => holding("ol", items),
  li: ([, number, ...nodes]) => itemOf(number, nodes),
  pre: ([, language, text]) => codeOf(language, text),
};

export const nodesOf = (tree) => tree.map(nodeOf);

/* What a tree says, without its formatting. */
export const plainly = (tree) => tree.map(textOf).join("");

function nodeOf(node) {
  if (typeof node === "string") return node;
  return Object.hasOwn(kinds, node[0]) ? kinds[node[0]](node) : textOf(node);
}

function textOf(node) {
  if (typeof node === "string") return node;
  const [kind, ...inside] = node;
  const isNode = (each) => typeof each === "string" || Array.isArray(each);
  const text = plainly(inside.slice(HEADS[kind] ?? 0).filter(isNode));
  return INLINE.has(kind) ? text : `${text} `;
}

function holding(name, nodes) {
  const element = document.createElement(name);
  element.append(...nodesOf(nodes));
  return element;
}

function itemOf(number, nodes) {
  const item = holding("li", nodes);
  if (number) item.value = number;
  return item;
}

function linkTo(address, nodes) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !SCHEMES.has(url.protocol)) return holding("span", nodes);
  const link = holding("a", nodes);
  link.href = url.href;
  link.rel = "noopener noreferrer nofollow ugc";
  link.target = "_blank";
  const shown = link.textContent.trim();
  if (shown !== address) link.title = url.href;
  // What looks like another address than it is gives itself away: the URL's own host is in ASCII.
  if (url.host && ADDRESS_LIKE.test(shown) && !names(shown.toLowerCase(), url)) {
    const host = document.createElement("small");
    host.textContent = ` (${url.host})`;
    link.append(host);
  }
  return link;
}

/* Does *shown* name the host, and where a host stands no other one? In the rest of an address it may be bait. */
function names(shown, { host, hostname }) {
  const isNoOther = (each) => !DOT.test(each) || each.replace(/:\d+$/, "") === hostname;
  return shown.includes(host) && (shown.match(HOSTS) ?? []).every(isNoOther);
}

function codeOf(language, text) {
  const block = document.createElement("div");
  block.className = "code";
  const code = holding("pre", [["code", text]]);
  code.tabIndex = 0;  // a long line is scrolled to with the arrow keys
  code.dir = "ltr";
  const head = document.createElement("div");
  head.className = language ? "" : "bare";
  head.textContent = language;
  if (navigator.clipboard) head.append(copyButton());
  block.append(head, code);
  return block;
}

/* The page listens to the button by `data-do` (deeds.js). */
function copyButton() {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.do = "copy";
  button.textContent = say("code.copy");
  return button;
}

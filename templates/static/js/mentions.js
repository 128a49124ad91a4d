/* "@Ada" in what is said: found by the names people have, since a name may hold spaces. */

const WORD = /[\p{L}\p{N}_]/u;

let own = "";
let names = [];  // folded, the longest first, so that "@Ada L." is not taken for "@Ada"
let known = 0;

/* One is called *me*, the others here *others*. */
export function knowNames(me, others) {
  const folded = [...new Set([me, ...others].filter(Boolean).map(fold))].sort((a, b) => b.length - a.length);
  if (own === fold(me) && folded.join("\n") === names.join("\n")) return;
  own = fold(me);
  names = folded;
  known++;
}

/* Grows when other names are known: what was drawn may have to be drawn anew. */
export const version = () => known;

export const mentionsMe = (text) => Array.from(found(text)).some(({ isMe }) => isMe);

/* Marks the mentions in *node*'s text, but for code and links; true if one of them is of oneself. */
export function mark(node) {
  let me = false;
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) {
    const pieces = Array.from(found(text.data));
    if (!pieces.length || text.parentElement.closest("code, pre, a")) continue;
    me ||= pieces.some(({ isMe }) => isMe);
    text.replaceWith(...split(text.data, pieces));
  }
  return me;
}

function* split(text, pieces) {
  let done = 0;
  for (const { start, end, isMe } of pieces) {
    yield text.slice(done, start);
    const mention = document.createElement("bdi");
    mention.className = isMe ? "at me" : "at";
    mention.textContent = text.slice(start, end);
    yield mention;
    done = end;
  }
  yield text.slice(done);
}

function* found(text) {
  for (let start = text.indexOf("@"); start >= 0; start = text.indexOf("@", start + 1)) {
    if (start > 0 && /[A-Za-z0-9]/.test(text[start - 1])) continue;  // an e-mail address
    const name = names.find((each) => isAt(text, start + 1, each));
    if (name !== undefined) yield { start, end: start + 1 + name.length, isMe: name === own };
  }
}

/* Chinese goes on without a space, so only where the name ends like an alphabet's word must the word end with it. */
function isAt(text, place, name) {
  if (fold(text.slice(place, place + name.length)) !== name) return false;
  const next = text.slice(place + name.length, place + name.length + 2);
  return !WORD.test(next.charAt(0)) || /\p{Script=Han}/u.test(next) || /\p{Script=Han}$/u.test(name);
}

/* Without case, and as long as it was: where folding would change that, nothing is folded. */
function fold(name) {
  const lower = name.toLowerCase();
  return lower.length === name.length ? lower : name;
}

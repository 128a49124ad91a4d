/* A message's text as nodes: text, and links. No HTML string ever exists, so nothing in a message can become one. */

const ADDRESS = /\b(?:https?:\/\/[^\s<>"“”]+|mailto:[^\s<>"“”@]+@[^\s<>"“”]+)/gi;
const TRAILING = /[.,;:!?'"’”。，；：！？、）】》」』]+$/;

export function nodesOf(text) {
  const nodes = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(found);
    const link = linkTo(address);
    if (!link) continue;
    nodes.push(text.slice(done, index), link);
    done = index + address.length;
  }
  nodes.push(text.slice(done));
  return nodes;
}

/* Without the full stop of the sentence, or the bracket that was opened before the address. */
function trimmed(address) {
  let rest = address.replace(TRAILING, "");
  while (rest.endsWith(")") && count(rest, ")") > count(rest, "(")) rest = rest.slice(0, -1).replace(TRAILING, "");
  return rest;
}

const count = (text, char) => text.split(char).length - 1;

function linkTo(address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !["http:", "https:", "mailto:"].includes(url.protocol)) return null;
  const link = document.createElement("a");
  link.href = url.href;
  link.rel = "noopener noreferrer nofollow ugc";
  link.target = "_blank";
  link.textContent = address;
  // An address that only looks like another one gives itself away here: the URL's own host is in ASCII.
  if (url.host && !address.toLowerCase().includes(url.host)) link.title = url.href;
  return link;
}

let emoji = null;
try {
  emoji = new RegExp("^\\p{RGI_Emoji}{1,3}$", "v");
} catch { /* an older browser: emoji stay at the text's size */ }

/* One to three emoji and nothing else are shown large. */
export const isOnlyEmoji = (text) => text.length <= 48 && emoji !== null && emoji.test(text.trim());

/* Where the words of a query stand in a text. Case, accents and the width of letters don't count, as on the server
   (words.py), which has judged already that all of them are there; this only shows it. */

const LETTER = /[\p{L}\p{N}]/u;
const ALONE = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u;
const BEFORE = 40;  // characters of the text before its first mark
const MOST = 200;  // and in all

/* The text around the first hit as nodes, hits in <mark>. */
export function marked(text, query) {
  const ranges = rangesOf(text, query);
  const from = Math.max(0, (ranges[0]?.[0] ?? 0) - BEFORE);
  const to = Math.min(text.length, from + MOST);
  const nodes = [from > 0 ? "…" : ""];
  let done = from;
  for (const [start, end] of ranges.filter((range) => range[1] <= to)) {
    const mark = document.createElement("mark");
    mark.textContent = text.slice(start, end);
    nodes.push(text.slice(done, start), mark);
    done = end;
  }
  nodes.push(text.slice(done, to), to < text.length ? "…" : "");
  return nodes;
}

/* [start, end] of every hit, in order, none over another. */
function rangesOf(text, query) {
  const { folded, places } = fold(text);
  const found = [];
  for (const word of query.split(/\s+/).map((part) => fold(part).folded).filter((part) => LETTER.test(part))) {
    for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + word.length)) {
      const begins = at === 0 || !LETTER.test(folded[at - 1]) || ALONE.test(folded[at]);
      if (begins) found.push([places[at], places[at + word.length]]);
    }
  }
  found.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  return found.filter(([start], i) => i === 0 || start >= found[i - 1][1]);
}

/* *text* as it is compared, and for each place in that the place in *text*. */
function fold(text) {
  let folded = "";
  const places = [];
  let at = 0;
  for (const char of text) {
    const plain = char.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    for (let i = 0; i < plain.length; i++) places.push(at);
    folded += plain;
    at += char.length;
  }
  return { folded, places: [...places, at] };
}

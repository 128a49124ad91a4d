/* The page's data block and its words. One catalogue per language (templates/locale); a word that is missing shows as
   its key, so that it is found. */

export const page = JSON.parse(document.getElementById("page").textContent);
const words = page.words;

/* The reader's own variant of the page's language: en-GB writes 14:05 where en-US writes 2:05 PM. */
const primary = page.lang.split("-")[0];
export const locale = navigator.languages.find((tag) => tag.split("-")[0] === primary) ?? page.lang;

/* What *make* makes, when it is first needed: the first of Intl costs a browser 10 to 30 ms. */
export function lazily(make) {
  let made;
  return () => made ??= make();
}

const plural = lazily(() => new Intl.PluralRules(locale));
const number = lazily(() => new Intl.NumberFormat(locale));

/* The text for *key*; "{n}" and other braces are filled from *values*, and *values.n* chooses between one and many. */
export function say(key, values = {}) {
  let text = words[key] ?? key;
  if (typeof text === "object") text = text[plural().select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => fill(name, values) ?? whole);
}

export const knows = (key) => key in words;

function fill(name, values) {
  if (name === "count") return words.numbers[values.n] ?? number().format(values.n);  // "Two messages", "17 messages"
  const value = values[name];
  return typeof value === "number" ? number().format(value) : value;
}

/* *name* inside a sentence of another direction: isolated (Unicode FSI … PDI), so that neither reorders the other. */
export const isolated = (name) => `\u2068${name}\u2069`;

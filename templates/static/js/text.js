/* A message's plain text. */

let emoji = null;
try {
  emoji = new RegExp("^\\p{RGI_Emoji}{1,3}$", "v");
} catch { /* an older browser: emoji stay at the text's size */ }

/* One to three emoji and nothing else are shown large. */
export const isOnlyEmoji = (text) => text.length <= 48 && emoji !== null && emoji.test(text.trim());

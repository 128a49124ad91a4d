/* A message's plain text. */

import { lazily } from "chat/words";

const ONLY = "^\\p{RGI_Emoji}{1,3}$";
const LETTER = /[A-Za-z\u3040-\u3250\u3400-\u9fff]/;  // what nearly every message has, and no emoji

const emoji = lazily(() => {
  try {
    return new RegExp(ONLY, "v");  // thousands of strings: some 20 ms
  } catch {
    return { test: () => false };  // an older browser: emoji stay at the text's size
  }
});

/* One to three emoji and nothing else are shown large. */
export const isOnlyEmoji = (text) => text.length <= 48 && !LETTER.test(text) && emoji().test(text.trim());

/* Who one is in another site's frame: a session of this frame's own, so that the cookie this browser may have for the
   chat itself counts for nothing there. */

import { here } from "chat/keep";

const SECRET = /^[0-9a-f]{64}$/;

export function frameSession() {
  const known = here.read("session", "");
  if (SECRET.test(known)) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const secret = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  here.write("session", secret);
  return secret;
}

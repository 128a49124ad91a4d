/* Registers the worker, with which the chat can be installed and says so when the net is gone. Fetched when all else is
   done; the page needs nothing of it. */

const WORKER = "/worker.js";

/* The only address that may become a script here: see trusted-types in the page's policy. */
const only = { createScriptURL: (address) => {
  if (address !== WORKER) throw new TypeError(`${address} is no worker of ours`);
  return address;
} };

export async function install() {
  const trusted = globalThis.trustedTypes?.createPolicy("chat", only) ?? only;
  try {
    const registration = await navigator.serviceWorker.register(trusted.createScriptURL(WORKER));
    registration.waiting?.postMessage("activate");  // a newer one came with an earlier page: now it is its turn
  } catch { /* forbidden by the browser's settings: then without */ }
}

/* What a page does when everything else is done: offer to be installed. */

const IDLE_MS = 2_000;

export function installLater() {
  if (!("serviceWorker" in navigator)) return;  // plain http on another host
  const start = () => setTimeout(() => import("chat/install").then(({ install }) => install(), unheard), IDLE_MS);
  if (document.readyState === "complete") start(); else addEventListener("load", start, { once: true });
}

/* Offline, or left just now: the next visit offers it again. */
function unheard() {}

/* What a page does when everything else is done: offer to be installed. */

const IDLE_MS = 2_000;

export function installLater() {
  if (!("serviceWorker" in navigator)) return;  // plain http on another host
  const install = () => import("chat/install").then((module) => module.install(), () => {});  // offline: the next time
  const start = () => setTimeout(install, IDLE_MS);
  if (document.readyState === "complete") start(); else addEventListener("load", start, { once: true });
}

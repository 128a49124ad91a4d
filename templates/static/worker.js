/* The worker: keeps the shell (files whose address carries their hash) and the offline page. Pages, and what is said in
   rooms, come from the server or not at all. `shell` is written above this by the server: another version, another text,
   another worker. It waits until a page is opened anew and says "activate" (install.js), so no open page loses a file. */

const CACHE = `chat-${shell.files.join("|").split("").reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) >>> 0, 7)}`;
const FILES = new Set(shell.files);

addEventListener("install", (event) => event.waitUntil(fill()));
addEventListener("activate", (event) => event.waitUntil(tidy()));
addEventListener("message", ({ data }) => data === "activate" && skipWaiting());

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => caches.match(shell.offline)));
  else if (FILES.has(url.pathname)) event.respondWith(kept(request));
});

async function fill() {
  const cache = await caches.open(CACHE);
  await cache.addAll(shell.files);
  // Without cookies: this page is for whoever sits here when the net is gone.
  await cache.put(shell.offline, await fetch(shell.offline, { credentials: "omit" }));
}

async function tidy() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
}

async function kept(request) {
  return (await caches.match(request.url)) ?? fetch(request);
}

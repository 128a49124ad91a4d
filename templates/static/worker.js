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
  await Promise.all(shell.files.map((file) => keep(cache, file)));
  // Without cookies: this page is for whoever sits here when the net is gone.
  await cache.put(shell.offline, await fetch(shell.offline, { credentials: "omit" }));
}

/* In a rolling restart an older or newer instance may answer, with its own file under our address: it says so by not
   calling it immutable. Kept, it would be wrong for good: no worker then, and the next page tries again. */
async function keep(cache, file) {
  const answer = await fetch(file);
  const isOurs = answer.ok && answer.headers.get("Cache-Control")?.includes("immutable");
  if (!isOurs) throw new TypeError(`another version answered for ${file}`);
  await cache.put(file, answer);
}

async function tidy() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
}

async function kept(request) {
  return (await caches.match(request.url)) ?? fetch(request);
}

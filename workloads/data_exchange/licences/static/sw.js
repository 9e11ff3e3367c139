// Keeps the pages of licences for when there is no network. VERSION, FILES and PAGES stand before this.
const shell = (page, language) => fetch(`${page}?lang=${language}`, { credentials: "omit" });

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(VERSION);
    await cache.addAll(FILES);
    // Without cookies: what is kept shows nobody's name.
    for (const page of PAGES) await cache.put(page, await shell(page, "en"));
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("borough-licences-") && name !== VERSION) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

// The page in the language in which it was last read.
self.addEventListener("message", (event) => {
  const { page, language } = event.data ?? {};
  if (!PAGES.includes(page) || !["en", "zh"].includes(language)) return;
  event.waitUntil((async () => {
    const answer = await shell(page, language);
    if (answer.ok) await (await caches.open(VERSION)).put(page, answer);
  })().catch(() => {}));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin || url.pathname.startsWith("/api/")) return;
  const options = { ignoreVary: true };
  if (request.mode === "navigate") {
    if (!PAGES.includes(url.pathname)) return;
    event.respondWith(fetch(request).catch(async () => (await caches.match(url.pathname, options)) ?? Response.error()));
    return;
  }
  event.respondWith(caches.match(request, options).then((found) => found ?? fetch(request)));
});

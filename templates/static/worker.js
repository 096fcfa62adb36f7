// The one worker of the console. It shows what Tocsin pushes (receiver/channels/webpush.py) and acknowledges by the
// notification's button; and where Tocsin does not answer, it shows since when, and Now as it was seen last. It keeps no
// press for later.
"use strict";

const home = new URL("../", location.href).pathname; // the console may live below a path: PATH/push/worker.js
const KEPT = "tocsin";
const OFFLINE = `${home}offline`;
const LAST = `${home}last`; // the name under which Now is kept as it was seen last; nothing is served there
const PATIENCE = 20000; // milliseconds after which a page is not waited for any more
const MARK = "Tocsin-Api"; // on every answer of Tocsin's own: a proxy answers for it when it is gone

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(keepOfflinePage());
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

async function keepOfflinePage() {
  const answer = await fetch(OFFLINE, { cache: "no-store", credentials: "omit" });
  if (!answer.ok) throw new Error(`the offline page cannot be had: ${answer.status}`);
  const text = await answer.clone().text();
  const parts = [...text.matchAll(/(?:href|src)="([^"]*\/(?:static\/[^"]+|icon-0\.svg))"/g)].map((found) => found[1]);
  const kept = await caches.open(KEPT);
  await kept.addAll(parts);
  await kept.put(OFFLINE, answer);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(navigate(event, pathname));
  else if (pathname === home && request.headers.get("Accept") === "text/html") event.respondWith(seen(event, fetch(request)));
  else if (pathname.startsWith(`${home}static/`)) event.respondWith(part(request));
});

async function part(request) {
  return (await caches.match(request)) ?? fetch(request);
}

// Now, whichever way it was asked for: kept as it was seen last.
async function seen(event, asked) {
  const answer = await asked;
  if (answer.ok && !answer.redirected) {
    const copy = answer.clone();
    event.waitUntil(caches.open(KEPT).then((kept) => kept.put(LAST, copy)));
  }
  return answer;
}

async function navigate(event, pathname) {
  const { request } = event;
  // Who leaves, or has to say who they are, leaves nothing behind.
  if (/\/log(in|out)$/.test(pathname)) event.waitUntil(caches.open(KEPT).then((kept) => kept.delete(LAST)));
  const isPage = !pathname.startsWith(`${home}api/`) && !/\.\w+$/.test(pathname); // reports and exports take their time
  try {
    const asked = isPage && request.method === "GET" ? inTime(fetch(request)) : fetch(request);
    const answer = await (pathname === home ? seen(event, asked) : asked);
    if (answer.status >= 502 && !answer.headers.has(MARK)) throw new Error("a proxy says that Tocsin is gone");
    return answer;
  } catch {
    if (request.method !== "GET") return Response.redirect(`${OFFLINE}?pressed`, 303);
    return (await caches.match(OFFLINE)) ?? Response.error();
  }
}

function inTime(asked) {
  return Promise.race([asked, new Promise((_, fail) => setTimeout(fail, PATIENCE, new Error("no answer in time")))]);
}

self.addEventListener("push", (event) => {
  const told = event.data ? event.data.json() : { title: "Tocsin", body: "", tag: "", open: "", acknowledge: "" };
  const actions = told.acknowledge ? [{ action: "acknowledge", title: "Acknowledge" }, { action: "open", title: "Open" }] : [];
  event.waitUntil(
    self.registration.showNotification(told.title, {
      body: told.body,
      tag: told.tag,
      renotify: Boolean(told.tag),
      requireInteraction: told.urgent,
      vibrate: told.urgent ? [400, 200, 400, 200, 400] : undefined,
      actions,
      data: told,
    }),
  );
});

const show = (told, body) =>
  self.registration.showNotification(told.title, { body, tag: told.tag, data: { ...told, acknowledge: "" } });

const acknowledge = async (told) => {
  try {
    // Who may is said by the link; cookies would only let another site's rules in.
    const answer = await fetch(told.acknowledge, { method: "POST", credentials: "omit" });
    await show(told, answer.ok ? "Acknowledged." : "Not acknowledged: open it to see how it stands.");
  } catch {
    await show(told, "Not acknowledged: Tocsin could not be reached. Open it, or answer another way.");
  }
};

self.addEventListener("notificationclick", (event) => {
  const told = event.notification.data;
  event.notification.close();
  if (event.action === "acknowledge" && told.acknowledge) event.waitUntil(acknowledge(told));
  else if (told.open) event.waitUntil(self.clients.openWindow(told.open));
});

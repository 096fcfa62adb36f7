// Shows what Tocsin pushes (receiver/channels/webpush.py), and acknowledges by the notification's button.
"use strict";

self.addEventListener("install", () => self.skipWaiting());

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

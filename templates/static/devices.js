// Turns notifications on in this browser: asks the person, subscribes at the browser's push service, posts the form.
"use strict";

(() => {
  const form = document.getElementById("subscribe");
  const said = document.getElementById("device-said");
  if (!form || !("serviceWorker" in navigator) || !("PushManager" in window)) return;
  const button = form.querySelector("button");
  const root = new URL(form.action).pathname.replace(/\/people\/.*$/, "");

  const octets = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));

  const name = () => {
    const agent = navigator.userAgent;
    const browser = [["Firefox", /Firefox|FxiOS/], ["Edge", /Edg/], ["Chrome", /Chrome|CriOS/], ["Safari", /Safari/]];
    const system = [["Android", /Android/], ["iPhone", /iPhone/], ["iPad", /iPad/], ["Mac", /Macintosh/], ["Windows", /Windows/], ["Linux", /Linux/]];
    const found = (table) => (table.find(([, sign]) => sign.test(agent)) || ["a browser"])[0];
    return `${found(browser)} on ${found(system)}`;
  };

  const active = (registration) =>
    new Promise((done) => {
      const worker = registration.installing || registration.waiting || registration.active;
      if (worker.state === "activated") return done();
      worker.addEventListener("statechange", () => worker.state === "activated" && done());
    });

  const subscribe = async () => {
    if ((await Notification.requestPermission()) !== "granted") throw new Error("the browser does not allow notifications from here");
    const registration = await navigator.serviceWorker.register(`${root}/push/worker.js`, { scope: `${root}/` });
    await active(registration);
    // Under an earlier release the registration was one for this folder alone: what was subscribed there would come twice.
    const apart = (await navigator.serviceWorker.getRegistrations()).find((each) => new URL(each.scope).pathname === `${root}/push/`);
    if (apart) await apart.unregister();
    const old = await registration.pushManager.getSubscription();
    if (old) await old.unsubscribe(); // it may be for another key of ours
    const key = octets(form.dataset.key);
    const made = (await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })).toJSON();
    form.elements.endpoint.value = made.endpoint;
    form.elements.p256dh.value = made.keys.p256dh;
    form.elements.auth.value = made.keys.auth;
    form.elements.label.value = name();
    HTMLFormElement.prototype.submit.call(form);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    said.textContent = "Asking the browser …";
    subscribe().catch((error) => {
      said.textContent = `Notifications were not turned on: ${error.message}.`;
      button.disabled = false;
    });
  });
  button.disabled = false;
})();

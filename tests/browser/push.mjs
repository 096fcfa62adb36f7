// Web Push in a real browser: a person turns it on, a page that Tocsin sends to the push service is shown by the worker
// with its actions, and these acknowledge and open. Headless, Chromium has no push service of its own and no desktop: the
// subscription comes from the test's (`own`), the devtools hand over what that decrypted, and press the actions.
import assert from "node:assert/strict";
import { logIn, page, post, run, story } from "./window.mjs";

const pushed = async () => (await fetch(story.pushed)).text();
const stands = async () => (await fetch(`${story.url}/api/v1/incidents/1`, { headers: { Authorization: `Bearer ${story.token}` } })).json();

await run(async () => {
  await page.context().grantPermissions(["notifications"]);
  await page.addInitScript((own) => {
    PushManager.prototype.subscribe = async (how) => {
      if (!how.userVisibleOnly || how.applicationServerKey.length !== 65) throw new Error("no key of ours");
      return { toJSON: () => own };
    };
  }, story.own);
  await logIn("dana", "correct");
  await page.getByRole("heading", { name: "Now", exact: true }).waitFor();
  await page.goto(`${story.url}/people/dana/devices`);
  await page.getByRole("button", { name: "Turn notifications on here" }).click();
  await page.getByText("Chrome on Linux").waitFor();

  const worker = page.context().serviceWorkers()[0];
  await worker.evaluate(() => { // what the browser took is noted: without a desktop it may drop a notice at once
    const take = ServiceWorkerRegistration.prototype.showNotification;
    [self.taken, self.opened] = [[], []];
    ServiceWorkerRegistration.prototype.showNotification = async function (title, more) {
      await take.call(this, title, more);
      self.taken.push({ title, ...more });
    };
    self.clients.openWindow = async (url) => self.opened.push(url);
    self.press = (data, action) => new Promise((done) => {
      const event = new Event("notificationclick");
      self.dispatchEvent(Object.assign(event, { action, notification: { data, close() {} }, waitUntil: (work) => work.then(done) }));
    });
  });
  const devtools = await page.context().newCDPSession(page);
  const registered = new Promise((done) => {
    devtools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => registrations[0] && done(registrations[0].registrationId));
  });
  await devtools.send("ServiceWorker.enable");
  const registrationId = await registered;
  const deliver = async () => {
    await devtools.send("ServiceWorker.deliverPushMessage", { origin: story.url, registrationId, data: await pushed() });
  };
  const taken = (count) => worker.evaluate(async (wanted) => {
    while (self.taken.length < wanted) await new Promise((soon) => setTimeout(soon, 20));
    return self.taken;
  }, count);

  // A level 4: it stays until it is answered, and has both actions.
  await post("/api/v1/incidents", { type: "margin", level: 4, title: "the rudder of landing-7 does not answer" });
  await deliver();
  const [shown] = await taken(1);
  assert.match(shown.title, /^#1 EMERGENCY: the rudder of landing-7 does not answer/);
  assert.deepEqual(shown.actions.map((each) => each.action), ["acknowledge", "open"]);
  assert.equal(shown.requireInteraction, true);

  // Open leads to the incident, and answers nothing.
  await worker.evaluate((data) => self.press(data, "open"), shown.data);
  assert.deepEqual(await worker.evaluate(() => self.opened), [`${story.url}/incidents/1`]);
  assert.equal((await stands()).state, "open");

  // Acknowledge acknowledges in her name, and says so in its place.
  await worker.evaluate((data) => self.press(data, "acknowledge"), shown.data);
  const incident = await stands();
  assert.deepEqual([incident.state, incident.acknowledged_by], ["acknowledged", "dana"]);
  const [, said] = await taken(2);
  assert.deepEqual([said.body, said.tag], ["Acknowledged.", shown.tag]);

  // Pressed again on a notice that is left somewhere: it is told the truth.
  await worker.evaluate((data) => self.press(data, "acknowledge"), shown.data);
  assert.equal((await taken(3))[2].body.includes("cknowledged"), true);
});

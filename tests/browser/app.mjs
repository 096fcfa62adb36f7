// Tocsin as an app, in a real browser: it can be installed, rings and shows notices that can be tried and muted, tells the
// worst level by its icon, and where Tocsin does not answer shows Now as it was seen last, never as live. And the pages
// that are read: the overview for a wall, the reports, the related incidents.
import assert from "node:assert/strict";
import { logIn, look, page, post, run, story } from "./window.mjs";

const open = (title, level, more = {}) => post("/api/v1/incidents", { type: "engine_failure", title, level, labels: { system: "landing-7" }, ...more });
const icon = () => page.locator("#icon").getAttribute("href");
const isLive = () => page.locator("#live", { hasText: /^live$/ }).waitFor();
const hears = (level) => page.waitForFunction((wanted) => document.body.dataset.rang === wanted, level);

await run(async () => {
  await page.context().grantPermissions(["notifications"]);
  await page.addInitScript(() => { // a machine without a desktop may drop a notice at once: what the browser took is noted
    const take = ServiceWorkerRegistration.prototype.showNotification;
    const voice = AudioContext.prototype.createOscillator;
    [globalThis.taken, globalThis.tones] = [[], 0];
    AudioContext.prototype.createOscillator = function () {
      globalThis.tones += 1;
      return voice.call(this);
    };
    ServiceWorkerRegistration.prototype.showNotification = async function (title, more) {
      await take.call(this, title, more);
      globalThis.taken.push(title);
    };
  });
  await open("the pump of gate 3 has stopped", 3);
  await logIn("dana", "correct");
  await isLive();

  // What a browser asks before it offers to install.
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  const devtools = await page.context().newCDPSession(page);
  assert.deepEqual((await devtools.send("Page.getAppManifest")).errors, []);
  assert.deepEqual((await devtools.send("Page.getInstallabilityErrors")).installabilityErrors, []);
  const registrations = await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).map((each) => new URL(each.scope).pathname));
  assert.deepEqual(registrations, ["/"], "one worker");

  // What opens while the page is open rings, is noticed, and shows on the icon; what stood open before does not.
  assert.equal(await page.locator("body").getAttribute("data-rang"), null);
  assert.match(await icon(), /icon-3\.svg$/);
  await page.getByRole("button", { name: "Try the sound" }).click();
  await page.waitForFunction(() => globalThis.tones === 6);
  await page.getByText("Level 3 and 4 ring while").waitFor();
  await page.waitForFunction(() => localStorage.getItem("tocsin rung")); // what stands open has been told
  await open("only practice", 4, { exercise: true });
  await open("the rudder of landing-7 does not answer", 4);
  await hears("4");
  await page.waitForFunction(() => /icon-4\.svg$/.test(document.getElementById("icon").href));
  await page.waitForFunction(() => document.title.startsWith("2 open, the worst: emergency"));
  await page.waitForFunction(() => globalThis.tones === 12);
  await page.waitForFunction(() => globalThis.taken.length);
  assert.deepEqual(await page.evaluate(() => globalThis.taken), ["emergency: the rudder of landing-7 does not answer"]);

  // Tried and muted, in this browser.
  await page.getByRole("button", { name: "Mute notices" }).click();
  await page.getByText("Notices are muted").waitFor();
  await page.getByRole("button", { name: "Mute the sound" }).click();
  await page.getByText("The sound is muted").waitFor();
  await open("the light of gate 9 is out", 3);
  await page.waitForFunction(() => localStorage.getItem("tocsin rung").includes('"4":3'));
  assert.deepEqual(await page.evaluate(() => [globalThis.tones, globalThis.taken.length]), [12, 1], "neither heard nor seen");
  await page.locator("#browser").scrollIntoViewIfNeeded();
  await look("app-browser");
  await page.reload();
  await page.getByText("The sound is muted").waitFor();

  // On another page the title tells what is open elsewhere.
  await page.goto(`${story.url}/incidents/1`);
  await page.waitForFunction(() => document.title.startsWith("3 open, the worst: emergency · #1"));
  await page.locator("#related").getByRole("link", { name: "the rudder of landing-7" }).waitFor();
  await look("app-related");

  // Nobody answers: since when, and Now as it was seen last, with nothing to press.
  await page.goto(story.url);
  await isLive();
  await fetch(`${story.control}/gone`);
  await page.goto(`${story.url}/history`);
  await page.getByRole("heading", { name: "Tocsin does not answer" }).waitFor();
  await page.getByText(/^Tocsin was last heard of .*\d\d:\d\d/).waitFor();
  await page.getByRole("heading", { name: /^Now, as of .*\d\d:\d\d/ }).waitFor();
  await page.locator("#last").getByText("the rudder of landing-7 does not answer").first().waitFor();
  assert.equal(await page.locator("#last :is(button, input, form, a)").count(), 0);
  assert.match(await page.locator("#last .countdowns time").first().innerText(), /^at /, "no time runs");
  await look("app-offline");
  await page.evaluate(() => {
    const form = Object.assign(document.createElement("form"), { method: "post", enctype: "multipart/form-data", action: "/declare" });
    document.body.append(form);
    form.submit();
  });
  await page.getByText("not known to be done, and nothing waits to be sent").waitFor();
  await fetch(`${story.control}/go`);
  await page.getByRole("heading", { name: "Now", exact: true }).waitFor();

  // What was chosen on Now is all that was seen: it says so, and speaks of nothing that could be pressed.
  await page.goto(`${story.url}/?level=3&mine=1`);
  await isLive();
  await fetch(`${story.control}/gone`);
  await page.goto(`${story.url}/history`);
  await page.getByText("Only what was chosen was seen: Critical and worse, Mine.").waitFor();
  await page.locator("#last").getByText(/^Nothing of what is chosen here is open\.\s*$/).waitFor();
  assert.doesNotMatch(await page.locator("#last").innerText(), /Look at/);
  await fetch(`${story.control}/go`);
  await page.getByRole("heading", { name: "History", exact: true }).waitFor();
  await page.goto(`${story.url}/?all`);

  // Who leaves, leaves nothing behind.
  await page.goto(`${story.url}/wall`);
  await page.locator("#wall").getByText("the rudder of landing-7 does not answer").waitFor();
  await isLive();
  await look("wall");
  for (const path of ["history/report", "history/drills"]) {
    await page.goto(`${story.url}/${path}`);
    await look(path.replace("/", "-"));
  }
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("Password").waitFor();
  assert.equal(await page.evaluate(async () => Boolean(await caches.match("/last"))), false);
});

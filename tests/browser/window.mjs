// One browser window for one scenario, and what is looked at on every page. Scenarios are run by test_night.py with
// one JSON argument: {name, url, modules, chromium, width, height, scheme, shots …}. Exit 0: every promise held.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const story = JSON.parse(process.argv[2]);
const load = createRequire(join(story.modules, "package.json"));
const { chromium } = load("playwright-core");
const axe = load.resolve("axe-core/axe.min.js");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const profile = mkdtempSync(join(tmpdir(), "tocsin-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: story.chromium,
  headless: true,
  args: FLAGS,
  viewport: { width: story.width, height: story.height },
  colorScheme: story.scheme,
  javaScriptEnabled: story.javascript ?? true,
  timezoneId: "Europe/Berlin",
  locale: "en-GB",
});
context.setDefaultTimeout(60000); // a machine may be busy
export const page = context.pages()[0];
await page.addInitScript(() => { setInterval(() => document.dispatchEvent(new Event("moved")), 1100); });
// A person whose tap is ignored, because the page has just moved, sees that it was, and taps again.
export const ignored = page.locator("#ignored");
const Locator = Object.getPrototypeOf(page.locator("body"));
for (const name of ["click", "dblclick", "tap", "check", "uncheck", "setChecked"]) {
  const press = Locator[name];
  Locator[name] = async function (...how) {
    for (;;) {
      const fault = await press.apply(this, how).then(() => null, (error) => error); // a box that stays as it was is one
      if (fault?.name === "TimeoutError" || (fault && !(await ignored.isVisible()))) throw fault;
      if (!(await ignored.isVisible())) return;
    }
  };
}
const faults = [];
page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
page.on("pageerror", (error) => faults.push(String(error)));

// Texts that are smaller on the screen than can be read at night, with their size in pixels; drawings are scaled.
const smallest = 10.5;
const tooSmall = (least) => [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility() && !each.closest(".unseen")
  && [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()) && each.localName !== "title")
  .map((each) => [parseFloat(getComputedStyle(each).fontSize) * (each.ownerSVGElement ? each.getScreenCTM().a : 1), each.textContent.trim()])
  .filter(([size]) => size < least).map(([size, words]) => `${size.toFixed(1)}: ${words.slice(0, 60)}`);

// What is pressed below or above something else that is pressed, with less than a finger's slip between them.
const tooClose = () => {
  const all = [...document.querySelectorAll("main button:not(.link), main .button, main .chip")].filter((each) => each.checkVisibility())
    .map((each) => [each.textContent.trim(), each.getBoundingClientRect()]);
  return all.flatMap(([one, a]) => all.filter(([, b]) => b.top > (a.top + a.bottom) / 2 && b.top - a.bottom < 4 && b.left < a.right && a.left < b.right)
    .map(([other]) => `${one}, ${other}`));
};

// No page is wider than the window, no text too small, its menu is one line, no two buttons touch, no label leaves its
// form, and axe has nothing to say.
export async function look(name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${name}: wider than the window by ${wide} px`);
  assert.deepEqual(await page.evaluate(tooSmall, smallest), [], `${name}: too small to be read`);
  assert.deepEqual(await page.evaluate(tooClose), [], `${name}: touch each other`);
  const out = await page.locator("form label").evaluateAll((all) => all.filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent));
  assert.deepEqual(out, [], `${name}: leaves its form`);
  const menu = await page.locator(".top nav li").evaluateAll((all) => all.map((each) => each.offsetTop));
  assert.ok(new Set(menu).size <= 1, `${name}: the menu takes several lines`);
  await judge(name);
  if (story.shots) await page.screenshot({ path: join(story.shots, `${name}-${story.name}.png`), fullPage: story.full ?? false });
}

async function judge(name) {
  const judge = await context.newCDPSession(page); // beside the page's content policy, which lets no script in
  await judge.send("Runtime.evaluate", { expression: readFileSync(axe, "utf8") });
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  const said = violations.map((each) => `${each.id}: ${each.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(said, [], `${name}: axe`);
}

export async function post(path, body) {
  const headers = story.token ? { Authorization: `Bearer ${story.token}` } : {};
  const answer = await fetch((story.direct ?? story.url) + path, { method: "POST", body: JSON.stringify(body), headers });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

// Says who we are, where the receiver asks.
export async function logIn(name, password) {
  await page.goto(story.url);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await judge("login");
  await page.getByRole("button", { name: "Log in" }).click();
}

// Writes as a person does, key by key.
export async function type(field, words) {
  await field.pressSequentially(words);
}

// A printed page has paper's colours, its words, and nothing to press.
export async function print(name) {
  const pdf = await page.pdf({ format: "A4" });
  assert.equal(pdf.subarray(0, 5).toString(), "%PDF-", `${name}: printed`);
  assert.ok(pdf.length > 10_000, `${name}: something is on the paper`);
}

// Runs a scenario to its end, whatever becomes of it.
export async function run(act) {
  try {
    await act();
    assert.deepEqual(faults.filter((fault) => !/401|409|ERR_/.test(fault)), [], "the browser's console is empty");
  } catch (error) {
    console.error(error.stack);
    process.exitCode = 1;
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

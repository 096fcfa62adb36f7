// What a responder does at night, in a real browser. Run by test_night.py with one JSON argument:
// {modules, url, width, height, scheme, script, shots}. Exits 0 when every promise held, else says which did not.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const story = JSON.parse(process.argv[2]);
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
  javaScriptEnabled: story.script,
  timezoneId: "Europe/Berlin",
  locale: "en-GB",
  bypassCSP: false,
});
context.setDefaultTimeout(15000);
const page = context.pages()[0];
const faults = [];
page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
page.on("pageerror", (error) => faults.push(String(error)));

async function look(name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${name}: wider than the window by ${wide} px`);
  await judge(name);
  if (story.shots) await page.screenshot({ path: join(story.shots, `${name}-${story.name}.png`), fullPage: story.full });
}

async function judge(name) {
  const judge = await context.newCDPSession(page);  // beside the page's own content policy, which lets no script in
  const { readFileSync } = await import("node:fs");
  await judge.send("Runtime.evaluate", { expression: readFileSync(axe, "utf8") });
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  const said = violations.map((each) => `${each.id}: ${each.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(said, [], `${name}: axe`);
}

async function post(path, body) {
  const answer = await fetch(story.url + path, { method: "POST", body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

async function tell(name, words, button) {
  await page.locator(`#do-${name} > summary`).click();
  await page.locator(`#${name}-text`).fill(words);
  await page.getByRole("button", { name: button }).click();
  await page.locator("#timeline").getByText(words).waitFor();
}

async function act() {
  await page.goto(story.url);
  await page.getByText("No incident is open").waitFor();
  await look("calm");
  await page.evaluate(() => { globalThis.sameDocument = true; });
  if (story.script) await page.locator("#live", { hasText: "live" }).waitFor();
  await post("/webhook/alertmanager", story.alert);
  await page.getByRole("heading", { name: story.title }).waitFor();
  assert.ok(await page.evaluate(() => globalThis.sameDocument), "the incident appeared without a reload");
  await page.locator("[data-zone]", { hasText: "Europe/Berlin" }).waitFor();
  await look("now");

  await page.getByRole("link", { name: story.title }).click();
  await page.locator("#press").waitFor();
  await look("incident");
  await page.locator("#press").click();
  await page.getByText("You have it").waitFor();
  await tell("notes", "Looked at the graphs <b>twice</b>", "Keep the note");
  await tell("updates", "We have found it", "Send the update");
  await page.locator(".steps button.box").first().click();
  await page.locator(".steps li.done").first().waitFor();
  await look("acknowledged");

  // Somebody else resolves it meanwhile: this page says so by itself, and a press that comes too late is told.
  await page.locator("#do-escalate > summary").click();
  await page.locator("#escalate-note").fill("help");
  await post("/api/v1/incidents/1/resolve", { by: "Noor", note: "done already", force: true });
  await page.locator("#head .state-resolved").waitFor();
  await page.getByRole("button", { name: "Escalate now" }).click();
  await page.getByText("Not done:").waitFor();
  await look("too-late");
  for (const path of ["/history", "/policy", "/channels"]) {
    await page.goto(story.url + path);
    await look(path.slice(1));
  }
}

try {
  await act();
  assert.deepEqual(faults.filter((fault) => !fault.includes("409")), [], "the browser's console is empty");
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}

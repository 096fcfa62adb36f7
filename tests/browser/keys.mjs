// A night without a mouse: keys, focus, and what a screen reader is told.
import assert from "node:assert/strict";
import { logIn, look, page, post, run, story } from "./window.mjs";

const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.tagName);
const isFocused = (id) => page.waitForFunction((wanted) => document.activeElement.id === wanted, id)
  .catch(async () => assert.equal(await focused(), id, "what has the focus"));
const press = (key) => page.keyboard.press(key);
const live = () => page.locator("#live", { hasText: "live" }).waitFor();

await run(async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  for (const title of ["Engine one", "Engine two", "Engine three"]) await post("/api/v1/incidents", { type: "engine_failure", title });
  await logIn("dana", "correct");
  await live();

  // What a screen reader is told: landmarks, a heading for each incident, and what each button is about.
  const told = await page.locator("body").ariaSnapshot();
  for (const words of [/banner/, /navigation "Console"/, /main/, /heading "Now" \[level=1\]/, /article "Engine one"/,
    /heading "Engine one" \[level=2\]/, /button "Acknowledge #1"/, /checkbox "Select #1"/, /list "Which incidents"/, /contentinfo/]) assert.match(told, words);

  await press("j");
  await isFocused("a1");
  await press("j");
  await press("j");
  await press("k");
  await isFocused("a2");
  await press("a");
  await page.locator("#said").getByText("You have #2").waitFor();
  await isFocused("said");
  await press("j");
  await isFocused("a1");

  // The sheet, and the keys turned off: `?` brings them back.
  await press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await look("keys");
  await page.getByLabel("Keys are on").press("Space");
  await press("Escape");
  await press("j");
  assert.equal(await focused(), "a1");
  await press("?");
  await page.getByLabel("Keys are on").press("Space");
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await isFocused("a1");
  await press("e");
  await page.waitForURL("**/incidents/1#do-escalate");
  await isFocused("escalate-note");
  await page.keyboard.type("ja? e/"); // while somebody types, keys are letters
  assert.equal(await page.locator("#escalate-note").inputValue(), "ja? e/");

  // A list of people, whatever was written: a slip cannot be chosen, and a choice survives a reload.
  await page.goto(`${story.url}/incidents/2`);
  await live();
  await look("incident-keys");
  assert.deepEqual(await page.locator("#acts ~ details").evaluateAll((all) => all.map((each) => each.id)),
    ["do-updates", "do-notes", "do-escalate", "do-handover", "do-acknowledge", "do-resolve", "more"]);
  await page.locator("#do-acknowledge > summary").press("Enter");
  assert.match(await page.locator("#hold option").nth(1).innerText(), /^\w+,? \d\d:\d\d .+: 30 minutes$/);
  await page.locator("#hold").selectOption("2h");
  await page.reload();
  await live();
  assert.equal(await page.locator("#hold").inputValue(), "2h");
  await page.locator("#do-acknowledge").getByRole("button", { name: "Snooze" }).press("Enter");
  await isFocused("said");

  // What is refused is said where the focus is.
  await post("/api/v1/incidents/2/resolve", { by: "Noor", note: "done already" });
  await page.locator("#head .state-resolved").waitFor();
  await page.locator("#do-escalate > summary").press("Enter");
  await page.locator("#escalate-note").fill("too late");
  await page.locator("#do-escalate button").press("Enter");
  await page.getByText("Not done:").waitFor();
  await isFocused("said");

  // What has the focus keeps it when its part of the page is drawn anew, also where it has no name of its own.
  await page.goto(`${story.url}/incidents/3`);
  await live();
  const csv = page.locator("#timeline").getByRole("link", { name: "Timeline as CSV" });
  await csv.focus();
  await post("/api/v1/incidents/3/notes", { by: "Noor", text: "seen from afar" });
  await page.locator("#timeline").getByText("seen from afar").waitFor();
  assert.equal(await csv.evaluate((link) => link === document.activeElement), true);
  const step = page.locator("#todo .checklist[open] .box").first();
  const id = await step.getAttribute("id");
  await step.press("Enter");
  await page.locator(`#todo li.done #${id.replace(".", "\\.")}`).waitFor();
  await isFocused(id);
  for (const [button, copied] of [["Copy #3", "#3"], ["Copy the link", `${story.url}/incidents/3`]]) {
    await page.getByRole("button", { name: button }).press("Enter");
    await page.locator("#announce", { hasText: `Copied: ${copied}` }).waitFor({ state: "attached" });
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), copied);
  }
  await press("/");
  await page.waitForURL("**/history#search");
  await isFocused("search");
});

// Who is on call, read and changed: no page is wider than the window, and axe has nothing to say.
import assert from "node:assert/strict";
import { look, page, run, story } from "./window.mjs";

await run(async () => {
  await page.goto(story.url);
  await page.getByRole("navigation").getByRole("link", { name: "On call" }).click();
  await page.locator("#take-1 > summary").click();
  await page.getByLabel("Who").first().selectOption("chris");
  const until = page.getByLabel(/^Until/).first();
  assert.match(await until.inputValue(), /T09:00$/, "the end of the present shift is offered");
  await page.getByLabel("Why").first().fill("Swap with the dentist");
  await page.getByRole("button", { name: "Put on call" }).first().click();
  await page.getByText("The override is made, and in effect.").waitFor();
  await page.locator(".entries").getByText("Swap with the dentist").waitFor();
  assert.match(await page.locator("section.duty dd").first().innerText(), /^chris/);
  if (story.javascript ?? true) await look("on-call");
  await page.getByRole("link", { name: "and the quarter" }).click();
  assert.equal(await page.locator("section.duty").first().locator("svg").count(), 13);
  if (story.javascript ?? true) await look("on-call-quarter");
  await page.getByRole("link", { name: "chris" }).first().click();
  await page.getByRole("heading", { name: "chris" }).waitFor();
  if (story.javascript ?? true) await look("person");
  const feed = await page.getByRole("link", { name: "Calendar for a phone" }).getAttribute("href");
  assert.match(await (await fetch(story.url + feed)).text(), /SUMMARY:On call: primary/);
  await page.getByRole("link", { name: "Who is on call" }).click();
  await page.getByRole("button", { name: "Cancel it" }).click();
  await page.getByText("The override is cancelled, and in effect.").waitFor();
});

// What a responder does at night.
import assert from "node:assert/strict";
import { look, page, post, run, story } from "./window.mjs";

async function tell(name, words, button) {
  await page.locator(`#do-${name} > summary`).click();
  await page.locator(`#${name}-text`).fill(words);
  await page.getByRole("button", { name: button }).click();
  await page.locator("#timeline").getByText(words).waitFor();
}

await run(async () => {
  await page.goto(story.url);
  await page.getByText("No incident is open").waitFor();
  await look("calm");
  await page.evaluate(() => { globalThis.sameDocument = true; });
  await page.locator("#live", { hasText: "live" }).waitFor();
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
  const open = page.locator(".checklist[open] .steps li:not(.done)");
  const left = await open.count();
  await open.first().getByRole("button").click();
  await page.waitForURL("**#todo");
  assert.equal(await page.locator(".checklist[open] .steps li:not(.done)").count(), left - 1, "a step is ticked");
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
});

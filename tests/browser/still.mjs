// The same pages without JavaScript: read, press, be told.
import assert from "node:assert/strict";
import { page, post, run, story } from "./window.mjs";

async function logIn() {
  await page.getByLabel("Name").fill("dana");
  await page.getByLabel("Password").fill("correct");
  await page.getByRole("button", { name: "Log in" }).click();
}

await run(async () => {
  await post("/api/v1/incidents", { type: "engine_failure", title: "Engine stands still" });
  await page.goto(story.url);
  await logIn();
  await page.getByRole("link", { name: "Engine stands still" }).click();
  assert.match(await page.locator("footer").innerText(), /UTC/);
  assert.equal(await page.locator("[data-scripted]:visible").count(), 0, "what does nothing without scripts is not shown");
  await page.getByRole("button", { name: "Acknowledge", exact: true }).first().click();
  await page.getByText("Escalation has stopped").waitFor();
  await page.locator("#do-notes > summary").click();
  await page.locator("#notes-text").fill("By hand");
  await page.context().clearCookies(); // the session ends while they write
  await page.getByRole("button", { name: "Keep the note" }).click();
  await page.getByText("Your session has ended.").waitFor();
  await page.getByText("By hand").waitFor();
  await logIn();
  await page.getByText("nothing was done").waitFor();
  await page.getByRole("button", { name: "Send it now" }).click();
  await page.locator("#timeline").getByText("By hand").waitFor();
  const steps = page.locator(".checklist[open] .steps li:not(.done)");
  const left = await steps.count();
  await steps.first().getByRole("button").click();
  assert.equal(await steps.count(), left - 1);
  await page.locator("#do-updates > summary").click();
  await page.locator("#updates-text").fill("All hands");
  await page.getByRole("button", { name: "Send the update" }).click();
  await page.locator("#timeline").getByText("All hands").waitFor();
  await page.locator("#record > summary").click();
  await page.locator("#do-follow-ups > summary").click();
  await page.locator("#follow-ups-text").fill("Order hoses");
  await page.getByRole("button", { name: "Write it down" }).click();
  await page.locator("#follow-ups").getByRole("button", { name: "Done: Order hoses" }).click();
  await page.getByText("Done, and written down.").waitFor();
  await page.locator("#press", { hasText: "Resolve" }).click();
  await page.locator("#head .state-resolved").waitFor();
  await page.getByRole("link", { name: "Now" }).click();
  await page.getByRole("link", { name: "Declare an incident" }).click();
  await page.locator("#type").fill("engine_failure");
  await page.locator("#title").fill("The other engine");
  await page.getByRole("button", { name: "Declare it" }).click();
  await page.getByRole("heading", { name: "The other engine" }).waitFor();
  await page.getByRole("link", { name: "Channels" }).click();
  await page.getByText("✓ configured").waitFor();
  await page.getByRole("button", { name: "Send a test message" }).click();
  await page.getByText("accepted").first().waitFor();
  await page.getByRole("link", { name: "History" }).click();
  await page.locator("#search").fill("still");
  await page.getByRole("button", { name: "Find" }).click();
  await page.getByRole("link", { name: "Engine stands still" }).waitFor();
  await page.getByRole("link", { name: "The report of a period" }).click();
  await page.getByRole("heading", { name: "Incidents of 30 days" }).waitFor();
  await page.goto(`${story.url}/wall`);
  await page.locator("#wall").getByText("The other engine").waitFor();
  assert.match(await page.locator("#wall .due").innerText(), /in \d+ (minutes|hours)/);
});

// What a responder does at night, from the login to the report.
import assert from "node:assert/strict";
import { logIn, look, page, post, print, run, story } from "./window.mjs";

async function tell(name, words, button) {
  await page.locator(`#do-${name} > summary`).click();
  await page.locator(`#${name}-text`).fill(words);
  await page.getByRole("button", { name: button }).click();
  await page.locator("#timeline").getByText(words).waitFor();
}

await run(async () => {
  await logIn("dana", "correct");
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
  await page.locator("#signals svg").waitFor();
  await look("incident");
  await page.evaluate(() => document.querySelector("#signals").scrollIntoView());  // the page may be redrawn meanwhile
  await look("signals");
  await page.locator("#press").click();
  await page.getByText("Escalation has stopped").waitFor();
  await tell("notes", "Looked at the graphs <b>twice</b>", "Keep the note");
  await tell("updates", "We have found it", "Send the update");
  const open = page.locator(".checklist[open] .steps li:not(.done)");
  const left = await open.count();
  await open.first().getByRole("button").click();
  await page.waitForFunction((count) => document.querySelectorAll(".checklist[open] .steps li:not(.done)").length === count, left - 1);
  await page.locator("#record > summary").click();
  await page.locator("#do-cause > summary").click();
  await page.locator("#fact-root_cause").fill("A worn seal");
  await page.locator("#do-cause").getByRole("button", { name: "Record" }).click();
  await page.getByText("Recorded.").waitFor();
  await page.locator("#notices").getByText("waits for approval").first().waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await look("acknowledged");

  // Somebody is quicker: this page says so by itself, and a press that comes too late is told.
  await page.locator("#do-escalate > summary").click();
  await page.locator("#escalate-note").fill("help");
  await post("/api/v1/incidents/1/resolve", { by: "Noor", note: "done already", force: true });
  await page.locator("#head .state-resolved").waitFor();
  await page.locator("#do-escalate").getByRole("button").click();
  await page.getByText("Not done:").waitFor();
  await look("too-late");

  // Another one is declared, and resolved from the page.
  await page.goto(`${story.url}/declare`);
  await page.locator("#type").fill("engine_failure");
  await page.locator("#title").fill("Engine two smokes");
  await look("declare");
  await page.getByRole("button", { name: "Declare it" }).click();
  await page.getByText("Declared.").waitFor();
  await page.getByRole("button", { name: "Acknowledge", exact: true }).first().click();
  await page.getByText("Escalation has stopped").waitFor();
  await page.locator("#press", { hasText: "Resolve" }).click();
  await page.locator("#head .state-resolved").waitFor();

  await page.goto(`${story.url}/incidents/1`);
  await print("incident");
  await page.getByRole("link", { name: "Report" }).click();
  await page.getByRole("link", { name: "Read and print it" }).click();
  await page.getByText("A worn seal").first().waitFor();
  await page.locator("svg[role=img] polyline").first().waitFor();
  await look("report");
  await print("report");

  for (const path of ["/history", "/policy", "/policy/drill?incident=engine_failure&acknowledge=10m", "/channels"]) {
    await page.goto(story.url + path);
    if (path === "/history") await page.getByText("The last 12 weeks").waitFor();
    await look(path.includes("drill") ? "drill" : path.slice(1));
  }
});

// The same pages without JavaScript: read, press, be told.
import assert from "node:assert/strict";
import { page, post, run, story } from "./window.mjs";

await run(async () => {
  await post("/api/v1/incidents", { type: "engine_failure", title: "Engine stands still" });
  await page.goto(story.url);
  await page.getByRole("link", { name: "Engine stands still" }).click();
  assert.match(await page.locator("footer").innerText(), /UTC/);
  await page.getByRole("button", { name: "Acknowledge", exact: true }).first().click();
  await page.getByText("You have it").waitFor();
  await page.locator("#do-notes > summary").click();
  await page.locator("#notes-text").fill("By hand");
  await page.getByRole("button", { name: "Keep the note" }).click();
  await page.locator("#timeline").getByText("By hand").waitFor();
  await page.getByRole("link", { name: "History" }).click();
  await page.locator("#search").fill("still");
  await page.getByRole("button", { name: "Find" }).click();
  await page.getByRole("link", { name: "Engine stands still" }).waitFor();
});

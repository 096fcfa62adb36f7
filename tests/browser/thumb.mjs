// A tired thumb on Now: a second tap, cards that would move, a server that hangs and one that is gone, a lost session.
import assert from "node:assert/strict";
import { ignored, logIn, look, page, post, run, story, type } from "./window.mjs";

const begins = () => page.locator("main").evaluate((main) => main.offsetTop);
const cards = () => page.locator(".card").evaluateAll((all) => all.map((card) => card.id));
const open = (title, more = {}) => post("/api/v1/incidents", { type: "engine_failure", title, ...more });
const stateOf = async (number) => (await (await fetch(`${story.direct}/api/v1/incidents/${number}`, { headers: { Authorization: `Bearer ${story.token}` } })).json()).state;

// Taps a button, and its place again at once, and once more when the answer is there. The page's clock stands still from
// the answer on, so that all of this is at once for it, however busy the machine is.
async function tapThrice(button, answer) {
  await page.evaluate(() => document.addEventListener("answered", () => {
    const at = performance.now();
    performance.now = () => at;
  }, { capture: true, once: true }));
  const place = await placeOf(button);
  await button.click();
  await page.mouse.click(...place);
  await answer.waitFor();
  await page.mouse.click(...place);
  while (!(await ignored.isVisible())) {
    await page.evaluate(() => document.getElementById("b2").scrollIntoView({ block: "center" }));
    await page.mouse.click(...await placeOf(page.locator("#b2")));
  }
  await page.evaluate(() => { delete performance.now; });
}

async function placeOf(button) {
  let box = await button.boundingBox();
  while (!box) box = await button.boundingBox(); // the page may be drawn anew in that moment
  return [box.x + box.width / 2, box.y + box.height / 2];
}

// Presses a button slowly: while the finger rests on it, something happens, and the page is drawn anew. The page's timers
// stand still meanwhile, so that the finger is quick for it, however busy the machine is.
async function pressSlowly(button, happens) {
  await page.evaluate(() => {
    globalThis.realTimeout = setTimeout;
    globalThis.setTimeout = (act, wait = 0) => realTimeout(act, wait && 1e6);
  });
  await fingerDown(button);
  const drawn = page.waitForResponse((answer) => answer.request().resourceType() === "fetch");
  await happens();
  await (await drawn).finished();
  await page.mouse.up();
  await page.evaluate(() => { globalThis.setTimeout = realTimeout; });
  if (await ignored.isVisible()) await pressSlowly(button, happens);
}

async function fingerDown(button) {
  for (;;) {
    await button.hover();
    await page.mouse.down();
    if (await button.evaluate((each) => each.matches(":active"))) return;
    await page.mouse.move(0, 0); // the page moved in that moment, and the finger is on something else
    await page.mouse.up();
  }
}

await run(async () => {
  for (const title of ["first", "second", "third"]) await open(title, { level: 3 });
  await open("only practice", { level: 4, exercise: true });
  await logIn("dana", "correct");

  // Exercises stand apart, and count for nothing.
  await page.getByText("3 open").waitFor();
  await page.locator("#exercises").getByText("nobody is in danger").waitFor();
  assert.equal(await page.locator("ol.cards").first().locator("li.card").count(), 3);

  // A second and a third tap in the same place acknowledge nothing else, and that one is ignored is shown; what was done can
  // be undone.
  await page.locator("#live", { hasText: "live" }).waitFor();
  await tapThrice(page.locator("#b1"), page.locator("#said").getByText("You have #1"));
  assert.deepEqual([await stateOf(1), await stateOf(2), await stateOf(3)], ["acknowledged", "open", "open"]);
  assert.equal(await page.evaluate(() => document.activeElement === document.body), false, "the focus is somewhere");
  await look("thumb-said");
  await page.getByRole("button", { name: "Undo #1" }).click();
  await page.locator("#said").getByText("Taken back").waitFor();
  assert.equal(await stateOf(1), "open");

  // What comes new says so, and moves nothing until somebody asks for it.
  const [before, order] = [await begins(), await cards()];
  await open("the worst", { level: 4 });
  await page.getByRole("button", { name: /1 new, show: the worst/ }).waitFor();
  assert.deepEqual(await cards(), order, "no card changed its place");
  assert.equal(await begins(), before, "nothing pushed the list away");
  await look("thumb-news");
  await page.getByRole("button", { name: /1 new, show/ }).click();
  assert.equal(await page.locator(".card").first().getAttribute("id"), "c5");

  // Several at once.
  await page.locator("#n2").check();
  await page.locator("#n3").check();
  await page.getByRole("button", { name: "Acknowledge them" }).click();
  await page.locator("#said").getByText("You have #3").waitFor();
  assert.deepEqual([await stateOf(2), await stateOf(3)], ["acknowledged", "acknowledged"]);

  // What happens while a finger rests on a button takes nothing from under it.
  await pressSlowly(page.locator("#b1"), () => post("/api/v1/incidents/2/notes", { text: "it hums" }));
  await page.locator("#said").getByText("You have #1").waitFor();

  // A server that hangs: within 40 s the page says since when it is old, and counts nothing down.
  await fetch(`${story.control}/hang`);
  await page.evaluate(() => { const real = Date.now; Date.now = () => real() + 45000; });
  await page.locator("#old").getByText(/As of \d\d:\d\d .*, not updated since/).waitFor();
  await page.locator("#live.lost", { hasText: "not live" }).waitFor();
  assert.match(await page.locator("#c5 .countdowns time").first().innerText(), /^at \d\d:\d\d/);
  await look("thumb-old");
  await fetch(`${story.control}/go`);
  await page.locator("#old").waitFor({ state: "hidden" });

  // A server that is gone: what was pressed says so where it is seen, also if its form was drawn anew meanwhile, and nothing
  // is kept for later.
  await fetch(`${story.control}/hang`);
  await page.locator("#b5").click();
  await page.evaluate(() => document.getElementById("c5").replaceWith(document.getElementById("c5").cloneNode(true)));
  await fetch(`${story.control}/gone`);
  await page.locator("#failed").getByText(/^Acknowledge #5: Tocsin cannot be reached.*nothing waits to be sent/).waitFor();
  await look("thumb-failed");
  assert.equal(new URL(page.url()).pathname, "/");
  await fetch(`${story.control}/go`);

  // Sixty alerts: one line each, in groups, all to be reached; the step to take is ticked where it stands.
  await post("/webhook/alertmanager", story.alerts);
  await page.goto(`${story.url}/incidents/6`);
  await page.locator("#alerts").getByText("60 firing; 50 shown, and there are more").waitFor();
  await look("thumb-incident");
  await page.evaluate(() => document.getElementById("alerts").scrollIntoView());
  await look("thumb-alerts");
  assert.equal(await page.locator("#alerts tbody tr:has(td)").count(), 50);
  const rows = await page.locator("#alerts tbody tr:has(td)").evaluateAll((all) => all.map((each) => each.clientHeight));
  assert.ok(Math.max(...rows) < 50, `an alert is one line: ${Math.max(...rows)} px`);
  await page.getByRole("link", { name: "Further alerts" }).click();
  await page.locator("#alerts").getByText("60 firing; 10 shown").waitFor();
  await page.goto(`${story.url}/incidents/6`);
  const first = await page.locator("#head .steps .box").count();
  const list = page.locator("#todo-title");
  if (story.width < 500) {
    const [top, acts] = [await list.boundingBox(), await page.locator("#acts").boundingBox()];
    assert.ok(top.y < acts.y, "the checklist stands before the boxes");
  }
  await page.evaluate(() => scrollTo(0, 40));
  await page.locator("#head .steps .box").first().click();
  await page.waitForFunction((count) => document.querySelectorAll("#head .steps .box").length !== count || document.querySelector(".steps .done"), first);
  assert.ok(Math.abs(await page.evaluate(() => scrollY) - 40) < 60, "ticking does not jump");

  // A session that ends while somebody writes: they log in, and go on where they were.
  await page.goto(`${story.url}/incidents/2`);
  await page.locator("#do-notes > summary").click();
  await type(page.locator("#notes-text"), "the pump hums");
  await page.context().clearCookies();
  await page.evaluate(() => document.querySelector("#do-notes button")?.click()); // the page may find out by itself before
  await page.getByLabel("Name").fill("dana");
  await page.getByLabel("Password").fill("correct");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL("**/incidents/2*");
  assert.equal(await page.locator("#notes-text").inputValue(), "the pump hums");
  await page.locator("#live", { hasText: "live" }).waitFor();
  await page.getByRole("button", { name: "Keep the note" }).click();
  await page.locator("#timeline").getByText("the pump hums").waitFor();
  await page.waitForFunction(() => document.querySelector("#notes-text").value === "");
});

// The page that stands where Tocsin does not answer: since when, Now as it was seen last, and back as soon as it answers.
// Nothing of what is shown can be pressed, and no time on it runs.
"use strict";

(() => {
  const home = new URL("../", document.currentScript.src).pathname;
  const RETRY = 10000;
  const said = document.getElementById("since");
  const zoned = new Intl.DateTimeFormat(undefined, {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" });
  const wasPress = location.pathname === `${home}offline`;
  if (wasPress && location.search === "?pressed") document.getElementById("pressed").hidden = false;

  async function showLast() {
    const kept = await caches.match(`${home}last`);
    const heard = Number(localStorage.getItem("tocsin heard"));
    const page = kept && new DOMParser().parseFromString(await kept.text(), "text/html");
    const made = page?.querySelector("footer time")?.dateTime;
    const since = Math.max(heard, made ? Date.parse(made) : 0);
    if (since) said.textContent = `Tocsin was last heard of ${zoned.format(since)}.`;
    const now = page?.getElementById("now");
    if (!made || !now) return;
    for (const each of now.querySelectorAll("form, button, input, label, datalist, .button, script, noscript, .after > a, [data-onward]")) each.remove();
    const chosen = [...now.querySelectorAll(".chip[aria-current]")].filter((each) => each.search !== "?all").map((each) => each.textContent);
    const only = Object.assign(document.createElement("p"), { id: "only", textContent: `Only what was chosen was seen: ${chosen.join(", ")}.` });
    now.querySelector(".chips")?.replaceWith(...chosen.length ? [only] : []);
    for (const each of now.querySelectorAll("a")) each.replaceWith(...each.childNodes);
    now.id = "last-now";
    now.removeAttribute("data-live");
    now.querySelector("h1")?.replaceWith(Object.assign(document.createElement("h2"), { textContent: `Now, as of ${zoned.format(Date.parse(made))}` }));
    document.getElementById("last").replaceChildren(document.adoptNode(now));
    document.getElementById("stale").hidden = false;
    document.dispatchEvent(new Event("put"));
  }

  async function tryAgain() {
    try {
      const answer = await fetch(`${home}-/healthy`, { cache: "no-store", signal: AbortSignal.timeout(RETRY) });
      if (!answer.ok) throw new Error("a proxy answers for it");
    } catch {
      setTimeout(tryAgain, RETRY);
      return;
    }
    if (wasPress) location.replace(home);
    else location.reload();
  }

  showLast();
  addEventListener("online", tryAgain);
  setTimeout(tryAgain, RETRY / 2);
})();

// Makes the console's pages live: countdowns tick, times are said in the viewer's zone, and when something changes
// the page asks for itself and puts the new parts in. Without it every page is whole, only still.
"use strict";

(() => {
  const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  // The console may live below a path; its own script does too: PATH/static/console.js.
  const home = new URL("../", document.currentScript.src).pathname;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const parts = {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
  };
  const thisYear = new Intl.DateTimeFormat(undefined, parts);
  const anyYear = new Intl.DateTimeFormat(undefined, { ...parts, year: "numeric" });
  // The server's clock counts, not this machine's.
  const made = document.querySelector("footer time");
  let ahead = made ? Date.now() - Date.parse(made.dateTime) : 0;

  function span(seconds) {
    let left = Math.max(0, Math.floor(seconds));
    let start = UNITS.findIndex(([unit]) => left >= unit);
    if (start < 0) start = UNITS.length - 1;
    const said = [];
    for (const [unit, name] of UNITS.slice(start, start + 2)) {
      const count = Math.floor(left / unit);
      left %= unit;
      if (count || !said.length) said.push(`${count} ${name}${count === 1 ? "" : "s"}`);
    }
    return said.join(" ");
  }

  function tick() {
    const now = Date.now() - ahead;
    for (const element of document.querySelectorAll("time[data-tick]")) {
      const off = (Date.parse(element.dateTime) - now) / 1000;
      const words = off > 0 ? `in ${span(off)}` : `${span(-off)} ago`;
      if (element.textContent !== words) element.textContent = words;
    }
  }

  function localise(root) {
    for (const element of root.querySelectorAll("time[datetime]:not([data-wall])")) {
      const at = new Date(element.dateTime);
      const words = (at.getFullYear() === new Date().getFullYear() ? thisYear : anyYear).format(at);
      if ("tick" in element.dataset) element.title = words;
      else element.textContent = words;
    }
    for (const element of root.querySelectorAll("[data-zone]")) element.textContent = zone;
  }

  function isBusy(part) {
    const active = document.activeElement;
    return part.contains(active) && active.matches("textarea, select, input");
  }

  function swap(old, fresh) {
    if (isBusy(old)) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const open = new Map([...old.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
    // What was typed into it stays.
    const typed = [...old.querySelectorAll("textarea[id], input[id]")].filter((each) => each.value !== each.defaultValue);
    old.replaceWith(fresh);
    for (const each of typed) {
      const now = document.getElementById(each.id);
      if (now && each.type === "file") now.replaceWith(each); // a file that was chosen cannot be set
      else if (now) now.value = each.value;
    }
    for (const each of fresh.querySelectorAll("details[id]")) if (open.has(each.id)) each.open = open.get(each.id);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  let asking = false;
  let again = false;

  async function refresh() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(document.body.dataset.page ?? location.pathname + location.search, { headers: { Accept: "text/html" } });
      if (answer.redirected || answer.status === 401) location.reload();
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const clock = page.querySelector("footer time");
      if (clock) ahead = Date.now() - Date.parse(clock.dateTime);
      for (const old of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(old.id);
        if (fresh) swap(old, document.adoptNode(fresh));
      }
      if (document.title !== page.title) {
        document.title = page.title;
        document.getElementById("announce").textContent = page.title;
      }
      // Forms say which state the person saw; one that is being filled in keeps what it said.
      const state = document.getElementById("head")?.dataset.state;
      for (const seen of document.querySelectorAll(".side input[name=state]")) {
        if (!seen.form.contains(document.activeElement)) seen.value = state;
      }
      localise(document);
      tick();
    } finally {
      asking = false;
      if (again) {
        again = false;
        refresh();
      }
    }
  }

  // What is not whole yet asks for itself again.
  function askAgain() {
    if (document.querySelector("[data-again]")) setTimeout(() => refresh().finally(askAgain), 1000);
  }

  function watch(what) {
    const sign = document.getElementById("live");
    const stream = new EventSource(`${home}events?watch=${what}`);
    const show = (live) => {
      sign.hidden = false;
      sign.textContent = live ? "live" : "not live";
      sign.classList.toggle("lost", !live);
    };
    stream.addEventListener("open", () => show(true));
    stream.addEventListener("change", refresh);
    stream.addEventListener("error", () => {
      show(false);
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => { watch(what); refresh(); }, 5000);
    });
  }

  function openTarget() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.querySelector("textarea, select, input:not([type=hidden])")?.focus();
    }
  }

  localise(document);
  tick();
  setInterval(tick, 1000);
  openTarget();
  addEventListener("hashchange", openTarget);
  // A second press of the same button is a slip, not a second act.
  document.addEventListener("submit", (event) => {
    for (const button of event.target.querySelectorAll("button")) setTimeout(() => { button.disabled = true; });
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  askAgain();
  if (document.body.dataset.watch) watch(document.body.dataset.watch);
})();

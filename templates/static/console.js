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
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" });
  const moment = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" });
  const anyYear = new Intl.DateTimeFormat(undefined, { ...parts, year: "numeric" });
  // The server's clock counts, not this machine's.
  const made = document.querySelector("footer time");
  let isOld = "offline" in document.body.dataset;
  let ahead = made ? Date.now() - Date.parse(made.dateTime) : 0;

  // What stands before a title: of incidents that are open elsewhere than on this page.
  let title = document.title;
  let standsBefore = "";

  function entitle(words = title) {
    title = words;
    document.title = standsBefore + title;
  }

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

  // A page that is old counts nothing down: it says when things are, as far as it knew.
  function tick() {
    const now = Date.now() - ahead;
    for (const element of document.querySelectorAll("time[data-tick]")) {
      const at = Date.parse(element.dateTime);
      const off = (at - now) / 1000;
      const words = isOld ? `at ${(Math.abs(off) < 43200 ? clock : thisYear).format(at)}` : off > 0 ? `in ${span(off)}` : `${span(-off)} ago`;
      if (element.textContent !== words) element.textContent = words;
    }
    // What a choice of so long comes to, if it is made now.
    for (const option of document.querySelectorAll("option[data-span]")) {
      const words = `${moment.format(now + option.dataset.span * 1000)}: ${span(option.dataset.span)}`;
      if (option.textContent !== words) option.textContent = words;
    }
  }

  function localise(root) {
    for (const each of root.querySelectorAll("[data-scripted]")) each.hidden = false; // what does nothing without us
    for (const element of root.querySelectorAll("time[datetime]:not([data-wall])")) {
      const at = new Date(element.dateTime);
      const words = (at.getFullYear() === new Date().getFullYear() ? thisYear : anyYear).format(at);
      if ("tick" in element.dataset) element.title = words;
      else element.textContent = words;
    }
    for (const element of root.querySelectorAll("[data-zone]")) element.textContent = zone;
    for (const field of root.querySelectorAll("[data-zone-field]")) field.value = zone;
    for (const link of root.querySelectorAll("a[data-zoned]")) {
      const target = new URL(link.href);
      target.searchParams.set("zone", zone);
      link.href = target;
    }
  }

  function isBusy(part) {
    const active = document.activeElement;
    return part.contains(active) && active.matches("textarea, select, input");
  }

  // What can be pressed, and where it lies: if that changes, a finger may be on its way to where it was.
  function places() {
    return [...document.querySelectorAll("main button, main label, main summary")]
      .map((each) => `${each.id}${each.textContent} ${Math.round(each.getBoundingClientRect().top / 4)}`).join("\n");
  }

  function watchingMoves(change) {
    const before = places();
    change();
    settle();
    if (places() !== before) document.dispatchEvent(new Event("moved"));
  }

  // Where the focus is in a part of the page, and the same place in what the part is drawn anew as: the same thing, else
  // what stands where it stood. A focus that falls to the page's begin costs a person without a mouse their place.
  const things = (part) => [...part.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
    .filter((each) => each.checkVisibility?.() ?? true);

  function placeIn(part) {
    const active = document.activeElement;
    return part?.contains(active) ? { id: active.id, at: things(part).indexOf(active) } : null;
  }

  function focusOn(part, place) {
    if (!part || !place) return;
    const all = things(part);
    const same = place.id ? all.find((each) => each.id === place.id) : null;
    (same ?? all[Math.min(Math.max(place.at, 0), all.length - 1)])?.focus({ preventScroll: true });
  }

  function swap(old, fresh) {
    if (isBusy(old)) return;
    const place = placeIn(old);
    const open = new Map([...old.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
    // What was typed into it, or ticked, stays.
    const typed = [...old.querySelectorAll("textarea[id], input[id]")].filter(
      (each) => each.value !== each.defaultValue || each.checked !== each.defaultChecked);
    old.replaceWith(fresh);
    for (const each of typed) {
      const now = document.getElementById(each.id);
      if (now && each.type === "file") now.replaceWith(each); // a file that was chosen cannot be set
      else if (now) [now.value, now.checked] = [each.value, each.checked];
    }
    for (const each of fresh.querySelectorAll("details[id]")) if (open.has(each.id)) each.open = open.get(each.id);
    focusOn(fresh, place);
  }

  function put(page) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (fresh) swap(old, document.adoptNode(fresh));
    }
  }

  // The cards of Now stay where they are: each is brought up to date in its place, and a person says when others come.
  const cardsOf = (page) => [...page.querySelectorAll(".card[data-number]")];

  function putCards(page) {
    const [old, fresh] = [cardsOf(document), cardsOf(page)];
    const order = (cards) => cards.map((each) => each.id).join();
    if (!old.length || order(old) === order(fresh)) {
      put(page);
      offer([], false);
      return;
    }
    const whole = page.cloneNode(true);
    const known = new Set(old.map((each) => each.id));
    for (const each of old) {
      const now = page.getElementById(each.id);
      if (now) swap(each, document.adoptNode(now));
      else leave(each);
    }
    const count = page.getElementById("count");
    if (count) document.getElementById("count").replaceWith(document.adoptNode(count));
    offer(fresh.filter((each) => !known.has(each.id)), true, whole);
  }

  function leave(card) {
    card.classList.add("gone");
    card.querySelector("form")?.remove();
    if (!card.querySelector(".left")) {
      card.querySelector("article").insertAdjacentHTML("beforeend", '<p class="left"><strong>Not in this list any more.</strong></p>');
    }
  }

  function offer(fresh, isOther, page) {
    const [news, show] = [document.getElementById("news"), document.getElementById("show")];
    const worst = fresh.toSorted((one, other) => other.dataset.level - one.dataset.level)[0];
    const words = fresh.length
      ? `${fresh.length} new, show: ${worst.querySelector("h2").textContent.slice(0, 90)}` : "The order has changed, show";
    news.hidden = !isOther;
    if (!isOther || show.textContent === words) return;
    show.textContent = words;
    document.getElementById("announce").textContent = words;
    document.dispatchEvent(new Event("moved"));
    show.onclick = () => {
      news.hidden = true;
      show.textContent = "";
      watchingMoves(() => put(page));
      document.getElementById("main").focus();
    };
  }

  function settle() {
    localise(document);
    tick();
  }

  // A press ends on what it began on: nothing is put in the place of a button between finger down and finger up, or the
  // browser would press neither the old one nor the new one. `released` resolves when no finger is down, or rests there.
  const RESTS = 2000; // milliseconds; also for a menu of the browser, after which no finger is told to be up
  let released = Promise.resolve();
  document.addEventListener("pointerdown", () => {
    released = new Promise((resolve) => {
      const ended = () => setTimeout(resolve); // the click comes right after the finger is up
      for (const end of ["pointerup", "pointercancel"]) addEventListener(end, ended, { capture: true, once: true });
      setTimeout(resolve, RESTS);
    });
  }, true);

  document.addEventListener("put", settle); // by another script

  // Where this page is, with the part of its lists that somebody looks at; what a press was answered with is no page.
  function address() {
    const { page } = document.body.dataset;
    return page && new URL(page, location).pathname !== location.pathname ? page : location.pathname + location.search;
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
      const answer = await fetch(address(),
        { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(20000) });
      if (answer.redirected || answer.status === 401) location.reload();
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      await released;
      const clock = page.querySelector("footer time");
      if (clock) ahead = Date.now() - Date.parse(clock.dateTime);
      watchingMoves(() => (document.body.dataset.watch === "now" ? putCards(page) : put(page)));
      if (title !== page.title) {
        entitle(page.title);
        document.getElementById("announce").textContent = title;
      }
      // Forms say which state the person saw; one that is being filled in keeps what it said.
      const state = document.getElementById("head")?.dataset.state;
      for (const seen of document.querySelectorAll(".side input[name=state]")) {
        if (!seen.form.contains(document.activeElement)) seen.value = state;
      }
    } catch {
      // It does not answer: the page says how old it is.
    } finally {
      asking = false;
      if (again) {
        again = false;
        refresh();
      }
    }
  }

  // The answer to a press, put in the place of the page: what was focused stays so, and nothing jumps.
  document.addEventListener("answered", ({ detail: { page, url } }) => {
    const part = document.activeElement?.closest("section[id]");
    const place = placeIn(part);
    const [main, scheme] = [document.getElementById("main"), new URL(url)];
    const open = new Map([...main.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
    main.replaceWith(document.adoptNode(page.getElementById("main")));
    entitle(page.title);
    history.replaceState(null, "", scheme.pathname + scheme.search);
    const acted = (place?.id && main.querySelector(`#${CSS.escape(place.id)}`)?.closest("details")?.id) || "";
    for (const each of document.querySelectorAll("main details[id]")) {
      if (open.has(each.id) && !each.open && each.id !== acted) each.open = open.get(each.id);
    }
    const said = document.getElementById("said");
    const told = said?.textContent.trim() ?? "";
    if (told) {
      said.focus({ preventScroll: true });
      said.scrollIntoView({ block: "nearest", behavior: "instant" }); // a page that glides is a page that moves
    } else focusOn(part && document.getElementById(part.id), place);
    if (document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
    document.getElementById("news").hidden = true;
    settle();
    document.dispatchEvent(new Event("moved"));
  });

  // What is not whole yet asks for itself again.
  function askAgain() {
    if (document.querySelector("[data-again]")) setTimeout(() => refresh().finally(askAgain), 1000);
  }

  const HEARD = "tocsin heard"; // when any page of this browser last heard of Tocsin, in milliseconds since 1970
  const heardBefore = Number(localStorage.getItem(HEARD));
  const PING = 15000; // the server says at least every so often that it lives
  let heard = Date.now();
  let isLost = false;

  function note(live) {
    const sign = document.getElementById("live");
    if (live) {
      heard = Date.now();
      localStorage.setItem(HEARD, heard); // what the offline page tells
    }
    isLost = !live;
    sign.hidden = false;
    sign.textContent = live ? "live" : "not live";
    sign.classList.toggle("lost", !live);
    judge();
  }

  // Who looks at an old page must see that it is old, and since when.
  function judge() {
    const silent = Date.now() - heard;
    const old = silent > 2 * PING + 10000 || (isLost && silent > 10000);
    const banner = document.getElementById("old");
    if (old) {
      const words = `As of ${clock.format(heard)}, not updated since: Tocsin does not answer. Phones and pages may know more than this one.`;
      if (banner.textContent !== words) banner.textContent = words;
    }
    if (old === isOld) return;
    isOld = old;
    banner.hidden = !old;
    document.getElementById("live").textContent = old ? "not live" : "live";
    document.getElementById("live").classList.toggle("lost", old);
    tick();
    document.dispatchEvent(new Event("moved"));
  }

  // What is open anywhere: the icon tells the worst, and the title on a page that is about something else.
  function stand(standing) {
    document.getElementById("icon").href = `${home}icon-${standing.worst}.svg`;
    const isElsewhere = document.body.dataset.watch !== "now" && standing.open;
    standsBefore = isElsewhere ? `${standing.open} open, the worst: ${standing.name} · ` : "";
    entitle();
    document.dispatchEvent(new CustomEvent("standing", { detail: { ...standing, heardBefore } }));
  }

  function watch(what) {
    const stream = new EventSource(`${home}${document.body.dataset.events ?? "events"}?watch=${what}`);
    stream.addEventListener("standing", ({ data }) => stand(JSON.parse(data)));
    stream.addEventListener("open", () => note(true));
    stream.addEventListener("ping", () => note(true));
    stream.addEventListener("change", () => { note(true); refresh(); });
    stream.addEventListener("error", () => {
      if (!isLost) note(false);
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => { watch(what); refresh(); }, 5000);
    });
    setInterval(judge, 1000);
  }

  function openTarget() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) {
      for (let each = target; each; each = each.parentElement.closest("details")) each.open = true;
      target.querySelector("textarea, select, input:not([type=hidden])")?.focus();
    }
  }

  localise(document);
  tick();
  setInterval(tick, 1000);
  openTarget();
  addEventListener("load", () => setTimeout(openTarget)); // the browser's own going there comes last, and takes the focus
  addEventListener("hashchange", openTarget);
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  askAgain();
  if (document.body.dataset.watch) watch(document.body.dataset.watch);
  if (document.body.dataset.every) setInterval(refresh, 1000 * document.body.dataset.every);
})();

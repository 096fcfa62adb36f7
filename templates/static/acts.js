// Makes presses safe: a tap that comes when the page has just moved is ignored and the page shows so, a press that does not
// arrive says so and is not kept for later, and what was typed survives a lost line, a lost session and a reload. Without it forms are forms.
"use strict";

(() => {
  const home = new URL("../", document.currentScript.src).pathname;
  const SETTLES = 800; // milliseconds after which a finger has seen that the page moved
  const ANSWERS = 15000;
  let movedAt = -Infinity;

  document.addEventListener("moved", () => {
    movedAt = performance.now();
    document.body.classList.add("moved");
    setTimeout(() => {
      if (performance.now() - movedAt >= SETTLES - 20) document.body.classList.remove("moved");
    }, SETTLES);
  });
  // A press of a key is meant for what has the focus, wherever that lies by now.
  // That a tap was ignored stands on the page until the next press.
  document.addEventListener("click", (event) => {
    const isTap = event.detail > 0 && event.target.closest("button, summary, label, input");
    const isIgnored = isTap && performance.now() - movedAt < SETTLES;
    document.getElementById("ignored").hidden = !isIgnored;
    if (!isIgnored) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);

  // Drafts: in this tab, until they are sent.
  const place = (field) => `draft ${location.pathname} ${field.id}`;
  const kinds = ["textarea", "select", "input:not([type])", ...["url", "date", "datetime-local", "checkbox"].map((each) => `input[type=${each}]`)];
  const drafted = kinds.map((each) => `main form[method=post] ${each}[id]`).join();
  const isBox = (field) => field.type === "checkbox";
  const said = (field) => (isBox(field) ? String(field.checked) : field.value);
  const proposed = (field) => {
    if (isBox(field)) return String(field.defaultChecked);
    return field.options ? ([...field.options].find((each) => each.defaultSelected) ?? field.options[0])?.value ?? "" : field.defaultValue;
  };
  const mayKeep = !document.querySelector("input[type=password]");

  function restore() {
    if (!mayKeep) return;
    for (const field of document.querySelectorAll(drafted)) {
      const kept = sessionStorage.getItem(place(field));
      if (kept === null || said(field) !== proposed(field)) continue;
      if (isBox(field)) field.checked = kept === "true";
      else field.value = kept;
      for (let each = field.closest("details"); each; each = each.parentElement.closest("details")) each.open = true;
    }
  }

  document.addEventListener("input", ({ target }) => {
    if (!mayKeep || !target.matches(drafted)) return;
    if (said(target) === proposed(target)) sessionStorage.removeItem(place(target));
    else sessionStorage.setItem(place(target), said(target));
  });

  const forget = (form) => [...form.elements].forEach((each) => each.id && sessionStorage.removeItem(place(each)));

  // Stands over the page until the next press: the form may have been drawn anew meanwhile, or be out of sight.
  function fail(words) {
    const failed = document.getElementById("failed");
    failed.hidden = !words;
    failed.textContent = words;
  }

  // What a button says, without what only the eye needs: “Acknowledge #5”.
  const saidBy = (form, button) => (button ?? form.querySelector("button"))?.textContent.replace(/\s+/g, " ").trim() || "What you sent";

  async function send(form, button) {
    const pressed = saidBy(form, button);
    const body = new URLSearchParams(new FormData(form, button));
    const target = new URL(form.getAttribute("action") || location.href, location.href); // a field may be named action
    let answer, text;
    try {
      answer = await fetch(target, {
        method: "POST", body, headers: { Accept: "text/html" }, signal: AbortSignal.timeout(ANSWERS) });
      text = await answer.text();
    } catch (error) {
      const why = error.name === "TimeoutError" ? `Tocsin has not answered for ${ANSWERS / 1000} s` : "Tocsin cannot be reached";
      fail(`${pressed}: ${why}: nothing is known to be done, and nothing waits to be sent. Press again, or use a page's link, the phone or the terminal.`);
      return;
    }
    const there = new URL(answer.url);
    const page = new DOMParser().parseFromString(text, "text/html");
    if (page.getElementById("password")) { // the session has ended: what was typed waits here as a draft
      location.assign(`${home}login?next=${encodeURIComponent(location.pathname.replace(home, "/") + location.search)}`);
      return;
    }
    if (answer.ok) forget(form);
    const isHere = there.pathname === location.pathname;
    if (page.getElementById("main") && (isHere || !answer.redirected)) {
      const detail = { page, url: answer.redirected ? answer.url : location.href };
      document.dispatchEvent(new CustomEvent("answered", { detail }));
      restore();
    } else location.assign(answer.url);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sending) event.preventDefault(); // a second press of the same button is a slip, not a second act
    if (event.defaultPrevented || form.method !== "post" || form.enctype === "multipart/form-data" || !mayKeep) return;
    event.preventDefault();
    fail("");
    form.dataset.sending = "yes";
    form.setAttribute("aria-busy", "true");
    send(form, event.submitter).finally(() => {
      delete form.dataset.sending;
      form.removeAttribute("aria-busy");
    });
  });

  restore();
  if (/[?&](took|gave|undone)=/.test(location.search)) document.dispatchEvent(new Event("moved"));
})();

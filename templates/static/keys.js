// The console without a mouse: j and k go from one thing to the next, a acknowledges, e asks for help, / searches, ? shows
// the keys and turns them off. They do nothing while somebody types. Copying number and link stands here too.
"use strict";

(() => {
  const KEYS = [
    ["j", "the next incident, or step"], ["k", "the one before"], ["a", "acknowledge it"], ["e", "ask for help with it"],
    ["/", "search"], ["?", "these keys"],
  ];
  const home = new URL("../", document.currentScript.src).pathname;
  const OFF = "tocsin keys off";
  const say = (words) => { document.getElementById("announce").textContent = words; };
  const isOff = () => localStorage.getItem(OFF) === "yes";

  // What j and k go through: the incidents of a list; on an incident's page its steps.
  const stops = () => [...document.querySelectorAll("main .cards h2 a, main .entries p > a[href*='/incidents/'], main .entries strong > a, main .steps .box:not(span)")]
    .filter((each) => each.checkVisibility?.() ?? true);
  let last = "";

  function go(by) {
    const all = stops();
    const active = document.activeElement;
    let at = all.findIndex((each) => each === active || each.closest("li").contains(active));
    if (at < 0) at = last ? all.findIndex((each) => each.id === last) : -1;
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
    if (!next) return;
    last = next.id;
    next.focus();
    next.closest("li").scrollIntoView({ block: "nearest" });
  }

  const card = () => document.activeElement.closest(".card");
  const here = () => document.getElementById("head");

  function acknowledge() {
    const button = (card() ?? here())?.querySelector("form[action$='/acknowledge'] button");
    if (button) button.click();
    else say(card() || here() ? "Nothing to acknowledge here." : "Go to an incident first, with j.");
  }

  function askForHelp() {
    const number = card()?.dataset.number;
    const form = document.getElementById("do-escalate");
    if (number) location.assign(`${home}incidents/${number}#do-escalate`);
    else if (form && location.hash === "#do-escalate") dispatchEvent(new Event("hashchange"));
    else if (form) location.hash = "#do-escalate";
    else say("Go to an incident first, with j.");
  }

  function search() {
    const field = document.getElementById("search");
    if (field) field.focus();
    else location.assign(`${home}history#search`);
  }

  // The sheet of keys. Who speaks to their browser, or whose hand slips, turns them off.
  const sheet = document.createElement("dialog");
  sheet.id = "keys";
  sheet.className = "sheet";
  sheet.setAttribute("aria-labelledby", "keys-title");
  sheet.innerHTML = `<h2 id="keys-title">Keys</h2><dl class="keys">${KEYS.map(([key, does]) => `<div><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`).join("")}</dl>
<label class="check"><input type="checkbox" id="keys-on"> Keys are on, in this browser (? always is)</label>
<form method="dialog"><button>Close</button></form>`;
  document.body.append(sheet);
  sheet.querySelector("#keys-on").addEventListener("change", ({ target }) => localStorage.setItem(OFF, target.checked ? "no" : "yes"));

  let before = null;
  sheet.addEventListener("close", () => {
    const again = before?.isConnected ? before : document.getElementById(before?.id); // it may have been drawn anew
    (again ?? document.getElementById("main")).focus({ preventScroll: true });
  });

  function show() {
    if (!sheet.open) before = document.activeElement;
    sheet.querySelector("#keys-on").checked = !isOff();
    if (!sheet.open) sheet.showModal();
  }

  const DOES = { j: () => go(1), k: () => go(-1), a: acknowledge, e: askForHelp, "/": search, "?": show };

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
    const act = DOES[event.key];
    if (!act || isTyping || sheet.open || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && event.key === "a") return;
    if (isOff() && event.key !== "?") return;
    event.preventDefault();
    act();
  });
  document.addEventListener("answered", () => { last = ""; });

  const sign = document.getElementById("keys-show");
  sign.addEventListener("click", show);

  async function copy(words) {
    if (navigator.clipboard) return navigator.clipboard.writeText(words);
    const field = Object.assign(document.createElement("textarea"), { value: words }); // without TLS there is no clipboard
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    const words = button.dataset.copy || location.origin + location.pathname;
    try {
      await copy(words);
      say(`Copied: ${words}`);
    } catch {
      say(`It cannot be copied here: ${words}`);
    }
    button.focus();
  });
})();

// Keeps Tocsin in this browser: registers its worker, offers to install it, and rings and shows a notice when an
// incident of level 3 or 4 opens. Each browser decides for itself whether it is heard; what it refuses is said.
"use strict";

(() => {
  const home = new URL("../", document.currentScript.src).pathname;
  const LOUD = 3; // the lowest level that rings
  const GAP = 60000; // milliseconds without a page of ours after which what stands open is no news
  const MOST = 3; // notices at once
  const NOTES = { 3: [[880, 0], [660, 0.22]], 4: [[988, 0], [740, 0.18], [988, 0.45], [740, 0.63], [988, 0.9], [740, 1.08]] };
  const isMuted = (what) => localStorage.getItem(`tocsin ${what}`) === "muted";
  const byId = (id) => document.getElementById(id);
  let install = null; // the browser's offer

  const worker = "serviceWorker" in navigator
    ? navigator.serviceWorker.register(`${home}push/worker.js`, { scope: home }).then(() => navigator.serviceWorker.ready)
    : Promise.reject(new Error("it has no service worker here, which needs HTTPS"));
  worker.catch(() => {});

  // Sound: made here, so that nothing has to be fetched when it matters.
  let audio = null;
  let isRefused = false;

  async function mayPlay() {
    audio ??= new AudioContext();
    if (audio.state !== "running") await Promise.race([audio.resume(), new Promise((go) => setTimeout(go, 500))]);
    isRefused = audio.state !== "running";
    draw();
    return !isRefused;
  }

  async function ring(level) {
    if (!(await mayPlay())) return;
    for (const [pitch, after] of NOTES[level]) {
      const [voice, loudness] = [audio.createOscillator(), audio.createGain()];
      const at = audio.currentTime + after;
      voice.frequency.value = pitch;
      loudness.gain.setValueAtTime(0.4, at);
      loudness.gain.exponentialRampToValueAtTime(0.001, at + 0.2);
      voice.connect(loudness).connect(audio.destination);
      voice.start(at);
      voice.stop(at + 0.2);
    }
  }

  // Notices of the desktop, shown by the worker: telephones know no others.
  async function notify({ number, level, name, title }) {
    const registration = await worker;
    await registration.showNotification(`${name}: ${title || `#${number}`}`.slice(0, 120), {
      body: number ? `#${number} is open, and nobody has it.` : "This is a test. Nothing is open because of it.",
      tag: `tocsin ${number}`,
      renotify: true,
      requireInteraction: level > LOUD,
      icon: `${home}icon-${level}.svg`,
      data: { title, open: new URL(number ? `${home}incidents/${number}` : home, location.href).href, acknowledge: "" },
    });
  }

  const mayNotify = () => "Notification" in window && Notification.permission === "granted";

  // Of several pages of this browser one tells what is new: the first that asks.
  function news(loud) {
    const known = localStorage.getItem("tocsin rung");
    const rung = JSON.parse(known ?? "{}");
    localStorage.setItem("tocsin rung", JSON.stringify(Object.fromEntries(loud.map((each) => [each.number, each.level]))));
    return loud.filter((each) => !(rung[each.number] >= each.level));
  }

  let isFirst = true;

  function hear(loud, heardBefore) {
    const fresh = news(loud);
    const isNews = !isFirst || performance.timeOrigin - heardBefore < GAP;
    isFirst = false;
    if (!fresh.length || !isNews) return;
    document.body.dataset.rang = Math.max(...fresh.map((each) => each.level)); // for whoever looks why it rang
    if (!isMuted("sound")) ring(Number(document.body.dataset.rang));
    if (!isMuted("notice") && mayNotify()) {
      fresh.toSorted((one, other) => other.level - one.level).slice(0, MOST).forEach((each) => notify(each).catch(draw));
    }
  }

  document.addEventListener("standing", ({ detail }) => {
    const loud = detail.loud.filter((each) => each.level >= LOUD);
    if (navigator.locks) navigator.locks.request("tocsin rings", () => hear(loud, detail.heardBefore));
    else hear(loud, detail.heardBefore);
  });

  // What this browser does, and what it refuses.
  const SOUND = {
    muted: "The sound is muted in this browser.",
    refused: "The browser refuses the sound: it wants one press on a page of Tocsin's first. Try it.",
    untouched: "Level 3 and 4 ring. This browser may refuse that until something is pressed on this page: try it.",
    on: "Level 3 and 4 ring while a page like this one is open.",
  };
  const NOTICE = {
    muted: "Notices are muted in this browser.",
    missing: "This browser shows no notices from here: that needs HTTPS, and on an iPhone an app on the home screen.",
    denied: "The browser refuses notices of Tocsin's: allow them in its settings for this site.",
    default: "The browser was not asked yet whether it may show notices: try one.",
    granted: "Level 3 and 4 show a notice while a page like this one is open.",
  };

  function soundStands() {
    if (isMuted("sound")) return "muted";
    if (isRefused) return "refused";
    return audio?.state === "running" || navigator.userActivation?.hasBeenActive !== false ? "on" : "untouched";
  }

  function noticeStands() {
    if (!("Notification" in window) || !("serviceWorker" in navigator)) return "missing";
    return isMuted("notice") && Notification.permission === "granted" ? "muted" : Notification.permission;
  }

  function draw() {
    const refused = byId("sound-refused");
    if (refused) refused.hidden = soundStands() !== "refused";
    if (!byId("browser")) return;
    byId("browser").hidden = false;
    byId("sound-says").textContent = SOUND[soundStands()];
    byId("sound-switch").textContent = isMuted("sound") ? "Let it sound" : "Mute the sound";
    byId("notice-says").textContent = NOTICE[noticeStands()];
    byId("notice-switch").textContent = isMuted("notice") ? "Show notices" : "Mute notices";
    byId("notice-switch").hidden = noticeStands() !== "granted" && noticeStands() !== "muted";
    byId("notice-try").hidden = ["missing", "denied", "muted"].includes(noticeStands());
    byId("install").hidden = !install;
  }

  function turn(what) {
    if (isMuted(what)) localStorage.removeItem(`tocsin ${what}`);
    else localStorage.setItem(`tocsin ${what}`, "muted");
  }

  const PRESSES = {
    "sound-try": () => ring(4),
    "sound-switch": () => turn("sound"),
    "notice-switch": () => turn("notice"),
    "notice-try": async () => {
      if ((await Notification.requestPermission()) === "granted") await notify({ number: 0, level: 0, name: "Tocsin", title: "a test" });
    },
    install: async () => {
      await install.prompt();
      install = null;
    },
  };

  document.addEventListener("click", async ({ target }) => {
    const press = PRESSES[target.id];
    if (!press) return;
    try {
      await press();
      draw();
    } catch (error) {
      byId("notice-says").textContent = `The browser refuses: ${error.message}.`;
    }
  });

  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    install = event;
    draw();
  });
  document.addEventListener("answered", draw);
  draw();
})();

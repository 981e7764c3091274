// What every page does: keep ages and the clock, tell when the connection is lost, ask before danger,
// and send a form once. Pages listen for `tongda:NAME` on the document, one for each live event.
"use strict";

const LOST_AFTER_MS = 12000;
const AGAIN_AFTER_MS = 5000;
const HIDDEN_FOR_MS = 60000;
const words = document.getElementById("words").dataset;
let heardAt = Date.now();
// The server's clock less this machine's: ages are told by the server's.
let ahead = 0;

function serverNow() {
  return Date.now() + ahead;
}

function ageOf(moment) {
  const seconds = Math.round((serverNow() - moment) / 1000);
  const size = Math.abs(seconds);
  const [unit, n] = size < 60 ? ["seconds", size] : size < 3600 ? ["minutes", Math.floor(size / 60)]
    : size < 86400 ? ["hours", Math.floor(size / 3600)] : ["days", Math.floor(size / 86400)];
  return seconds >= -1 ? words[unit].replace("%(n)s", n) : words.ahead.replace("%(n)s", spanOf(size));
}

// A length of time in its largest two units.
function spanOf(seconds) {
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
  const [form, parts] = hours ? [words.hour, { h: hours, m: String(minutes).padStart(2, "0") }]
    : [words.minute, { m: minutes, s: String(seconds % 60).padStart(2, "0") }];
  return form.replace(/%\((\w)\)s/g, (_, name) => parts[name]);
}

// `data-left` counts down to its time, `data-since` counts up from it.
function tellSpans() {
  for (const time of document.querySelectorAll("time[data-left], time[data-since]")) {
    const left = "left" in time.dataset;
    const seconds = Math.round((Date.parse(time.dateTime) - serverNow()) / 1000) * (left ? 1 : -1);
    const said = left && seconds <= 0 ? words.over : spanOf(Math.max(seconds, 0));
    if (time.textContent !== said) time.textContent = said;
    time.classList.toggle("is-over", left && seconds <= 0);
  }
}

function tellAges() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    let age = time.querySelector(".age");
    if (!age) {
      age = document.createElement("span");
      age.className = "age";
      time.append(age);
    }
    const said = ageOf(Date.parse(time.dateTime));
    if (age.textContent !== said) age.textContent = said;
  }
  tellSpans();
  const clock = document.getElementById("clock");
  if (clock) clock.textContent = clockTime(serverNow());
}

// A moment as the desk's clock shows it.
function clockTime(moment) {
  const [, sign, hours, minutes] = document.getElementById("clock").dataset.offset.match(/([+-])(\d\d):(\d\d)/);
  const offset = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  return new Date(moment + offset * 60000).toISOString().slice(11, 19);
}

function tellLost() {
  const ended = !document.getElementById("ended").hidden;
  const lost = !ended && Date.now() - heardAt > LOST_AFTER_MS;
  const banner = document.getElementById("lost");
  if (lost && banner.hidden) document.getElementById("lost-since").textContent = clockTime(heardAt + ahead);
  banner.hidden = !lost;
  document.body.classList.toggle("stale", lost || ended || !document.getElementById("away").hidden);
}

function tellAway(since) {
  document.getElementById("away").hidden = !since;
  if (since) document.getElementById("away-since").textContent = clockTime(Date.parse(since));
  tellLost();
}

function tellDrill(title) {
  const strip = document.getElementById("drill");
  strip.hidden = !title;
  document.getElementById("drill-title").textContent = title ?? "";
}

const heard = {
  beat: (data) => { ahead = Date.parse(data) - Date.now(); },
  away: tellAway,
  back: () => tellAway(null),
  drill: (data) => tellDrill(JSON.parse(data).title),
  ended: () => {
    document.getElementById("ended").hidden = false;
    stopListening();
  },
};
let source = null;

function stopListening() {
  source?.close();
  source = null;
}

// One stream for each page that is looked at: a browser opens six connections to a server, and no more.
function listen() {
  if (source || !document.getElementById("ended").hidden) return;
  const wanted = (document.body.dataset.events ?? "").split(/\s+/).filter(Boolean);
  source = new EventSource(`${document.body.dataset.live}?events=${encodeURIComponent(wanted.join(" "))}`);
  const take = (event) => {
    heardAt = Date.now();
    heard[event.type]?.(event.data);
    tellLost();
    document.dispatchEvent(new CustomEvent(`tongda:${event.type}`, { detail: event.data }));
  };
  for (const name of new Set([...Object.keys(heard), ...wanted])) source.addEventListener(name, take);
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return;
    stopListening();
    setTimeout(listen, AGAIN_AFTER_MS);
  });
}

function keepListening() {
  let leaving = null;
  window.addEventListener("pagehide", stopListening);
  window.addEventListener("pageshow", listen);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(leaving);
    if (document.hidden) leaving = setTimeout(stopListening, HIDDEN_FOR_MS);
    else listen();
  });
  setInterval(tellLost, 1000);
  listen();
}

// A form is sent once: its buttons are off until the page changes, or until it comes back from the cache.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  const asked = (event.submitter?.dataset.ask ?? form.dataset.ask);
  if (asked && !form.dataset.asked) {
    event.preventDefault();
    ask(asked, () => {
      form.dataset.asked = "1";
      form.requestSubmit(event.submitter);
    });
    return;
  }
  delete form.dataset.asked;
  if (form.method !== "post") return;
  form.dataset.sent = "1";
  setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }), 0);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelectorAll("button").forEach((button) => { button.disabled = false; });
  }
});

function ask(question, agreed) {
  const dialog = document.getElementById("ask");
  document.getElementById("ask-words").textContent = question;
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") agreed(); }, { once: true });
  dialog.showModal();
}

tellAges();
setInterval(tellAges, 1000);
if (document.body.dataset.live) keepListening();

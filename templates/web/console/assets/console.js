// What every page does: keep ages and the clock, tell when the connection is lost, ask before danger,
// and send a form once. Pages listen for `tongda:NAME` on the document, one for each live event.
"use strict";

const LOST_AFTER_MS = 12000;
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
  const said = words[unit].replace("%(n)s", n);
  return seconds >= -1 ? said : words[`${unit}Ahead`]?.replace("%(n)s", n) ?? "";
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
  const clock = document.getElementById("clock");
  if (clock) {
    const [, sign, hours, minutes] = clock.dataset.offset.match(/([+-])(\d\d):(\d\d)/);
    const offset = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
    clock.textContent = new Date(serverNow() + offset * 60000).toISOString().slice(11, 19);
  }
}

function tellLost() {
  const lost = Date.now() - heardAt > LOST_AFTER_MS;
  const banner = document.getElementById("lost");
  if (banner.hidden !== lost) return;
  banner.hidden = !lost;
  document.body.classList.toggle("stale", lost);
  if (lost) document.getElementById("lost-since").textContent = new Date(heardAt).toLocaleTimeString();
}

function listen(address) {
  const source = new EventSource(address);
  const heard = (event) => {
    heardAt = Date.now();
    tellLost();
    document.dispatchEvent(new CustomEvent(`tongda:${event.type}`, { detail: event.data }));
  };
  source.addEventListener("beat", (event) => {
    ahead = Date.parse(event.data) - Date.now();
    heard(event);
  });
  for (const name of (document.body.dataset.events ?? "").split(" ").filter(Boolean)) {
    source.addEventListener(name, heard);
  }
  window.addEventListener("pagehide", () => source.close());
  setInterval(tellLost, 1000);
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
if (document.body.dataset.live) listen(document.body.dataset.live);

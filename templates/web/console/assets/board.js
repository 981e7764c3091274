// The watch board: what is the same for everybody comes with the event `board`; what waits for the person
// is fetched when the event `waiting` says that it changed.
"use strict";

const now = document.getElementById("now");
const waits = document.getElementById("waiting");
const title = document.title;
let shownVersion = null;

// Put text in place of an element's content; who stands on a link of it with the keyboard stays there.
function replaceContent(element, html) {
  const at = element.contains(document.activeElement) ? document.activeElement : null;
  const place = at?.getAttribute("href") ?? at?.closest("form")?.getAttribute("action");
  element.innerHTML = html;
  if (place) {
    const found = element.querySelector(`[href="${CSS.escape(place)}"]`)
      ?? element.querySelector(`form[action="${CSS.escape(place)}"] button`);
    found?.focus({ preventScroll: true });
  }
  tellAges();
}

function tellCount() {
  const count = waits.querySelector("[data-count]")?.dataset.count;
  document.title = count && count !== "0" ? `(${count}) ${title}` : title;
}

async function fetchWaiting() {
  try {
    const response = await fetch(waits.dataset.from, { headers: { "HX-Request": "true" } });
    if (response.ok) replaceContent(waits, await response.text());
    tellCount();
  } catch {
    shownVersion = null; // asked again with the next event; the banner tells that the connection is lost
  }
}

document.addEventListener("tongda:board", (event) => replaceContent(now, event.detail));
document.addEventListener("tongda:waiting", (event) => {
  if (event.detail === shownVersion) return;
  shownVersion = event.detail;
  fetchWaiting();
});
// A duty officer comes back to a page that the browser kept: nothing on it is to be believed.
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
tellCount();

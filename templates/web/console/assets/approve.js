// The page of one alert: fetches how far the approval is when something changed, and lets nobody sign what
// is no longer there.
"use strict";

const standing = document.getElementById("standing");

async function look() {
  const answer = await fetch(standing.dataset.address, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  const part = document.createElement("template");
  part.innerHTML = await answer.text();
  const fresh = part.content.querySelector(".standing");
  if (!fresh) return;
  standing.replaceChildren(part.content);
  const same = fresh.dataset.digest === standing.dataset.digest && fresh.dataset.state === standing.dataset.state;
  if (!same) stop();
}

// What the page shows is over: its forms would be refused, and whoever looks should know at once.
function stop() {
  document.getElementById("changed").hidden = false;
  for (const button of document.querySelectorAll(".act button")) button.disabled = true;
}

document.addEventListener("tongda:waiting", look);
document.getElementById("fault")?.focus();

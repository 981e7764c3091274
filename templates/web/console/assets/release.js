// The release page: its parts follow the live events, its dialogs open by one click, and the chart and the
// map take their figures from the part that was measured last.
"use strict";

(() => {
  const live = document.getElementById("live");

  document.addEventListener("tongda:release", ({ detail }) => {
    if (live && String(JSON.parse(detail).id) === live.dataset.release) live.dispatchEvent(new Event("changed"));
  });

  function show() {
    const figures = document.getElementById("sights")?.dataset;
    const curve = document.getElementById("curve");
    if (!figures || !curve) return;
    const points = JSON.parse(figures.curve).series[0].points.length;
    document.getElementById("no-curve").hidden = points > 0;
    if (points && curve.dataset.chart !== figures.curve) curve.dataset.chart = figures.curve;
    document.getElementById("townships-map").dataset.shares = figures.shares;
  }
  document.addEventListener("htmx:after:swap", show);

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    const dialog = opener && document.getElementById(opener.dataset.opens);
    if (!dialog) return;
    event.preventDefault();
    if (!dialog.open) dialog.showModal();
  });

  // Whoever came by the link without script sees it open in the page; with script it is a real dialog.
  for (const dialog of document.querySelectorAll("dialog.wide[open]")) {
    dialog.close();
    dialog.showModal();
  }
})();

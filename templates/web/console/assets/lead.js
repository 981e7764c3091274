// The leader's page is renewed by the event `lead`; what was folded open or shut stays so.
"use strict";

document.addEventListener("tongda:lead", (event) => {
  const lead = document.getElementById("lead");
  const open = [...lead.querySelectorAll("details")].map((one) => one.open);
  lead.innerHTML = event.detail;
  const folds = [...lead.querySelectorAll("details")];
  if (folds.length === open.length) folds.forEach((one, place) => { one.open = open[place]; });
  tellAges();
});

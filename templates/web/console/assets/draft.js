// The draft page: keeps what is typed, shows what it would do, and lets places be chosen in a list.
"use strict";

(() => {
  const LOOK_AFTER_MS = 600;
  const KEEP_AFTER_MS = 1500;
  const form = document.getElementById("draft");
  if (!form) return;
  document.documentElement.classList.add("scripted");
  const area = document.getElementById("area");
  const panels = [...document.querySelectorAll("[data-look]")];
  let looking = 0;
  let keeping = 0;
  let changed = false;

  const tell = (element, name) => element?.dispatchEvent(new CustomEvent(name));

  function look(after = LOOK_AFTER_MS) {
    clearTimeout(looking);
    for (const panel of panels) panel.setAttribute("aria-busy", "true");
    looking = setTimeout(() => panels.forEach((panel) => tell(panel, "look")), after);
  }

  function touched() {
    changed = true;
    look();
    clearTimeout(keeping);
    keeping = setTimeout(keep, KEEP_AFTER_MS);
  }

  function keep() {
    if (!changed || form.dataset.sent) return;
    changed = false;
    tell(document.getElementById("kept"), "keep");
  }

  form.addEventListener("input", touched);
  form.addEventListener("change", (event) => {
    if (event.target.id === "hazard") tell(document.getElementById("leveller"), "kind");
    touched();
  });
  form.addEventListener("submit", () => {
    clearTimeout(keeping);
    clearTimeout(looking);
    changed = false;
  });

  // A page that is left keeps what was typed last; the form's own number stays unused.
  window.addEventListener("pagehide", () => {
    if (!changed || form.dataset.sent) return;
    const typed = new FormData(form);
    typed.delete("once");
    navigator.sendBeacon("/desk/drafts/keep", typed);
  });

  document.addEventListener("htmx:after:swap", (event) => {
    const { target } = event;
    if (target?.matches?.("[data-look]")) target.removeAttribute("aria-busy");
    for (const panel of panels) if (panel === event.detail?.ctx?.target) panel.removeAttribute("aria-busy");
    counts();
  });
  document.addEventListener("htmx:error", (event) => {
    const kept = document.getElementById("kept");
    if (event.target === kept || event.detail?.ctx?.sourceElement === kept) {
      changed = true;
      kept.textContent = kept.dataset.lost;
      clearTimeout(keeping);
      keeping = setTimeout(keep, KEEP_AFTER_MS * 2);
    }
  });

  // Filling replaces texts, so it asks first where there are any.
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-fill]");
    if (!button) return;
    event.preventDefault();
    const fill = () => {
      tell(document.getElementById("filler"), "fill");
      setTimeout(touched, LOOK_AFTER_MS);
    };
    const typed = [...form.querySelectorAll("#texts textarea")].some((one) => one.value.trim());
    if (typed) ask(button.dataset.fill, fill);
    else fill();
  });

  // Validity: so many hours after its begin, in the desk's zone.
  function offsetMinutes() {
    const [, sign, hours, minutes] = document.getElementById("clock").dataset.offset.match(/([+-])(\d\d):(\d\d)/);
    return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  }
  for (const row of document.querySelectorAll(".quick")) row.hidden = false;
  for (const button of document.querySelectorAll("[data-plus]")) {
    button.addEventListener("click", () => {
      const typed = document.getElementById("onset").value;
      const now = serverNow() + offsetMinutes() * 60000;
      const begin = typed ? Math.max(Date.parse(`${typed}Z`), now) : now;
      const end = new Date(Math.ceil((begin + button.dataset.plus * 3600000) / 60000) * 60000);
      document.getElementById("expires").value = end.toISOString().slice(0, 16);
      touched();
    });
  }

  function counts() {
    for (const input of form.querySelectorAll("[data-count]")) {
      let said = input.nextElementSibling;
      if (!said?.matches(".counted")) {
        said = document.createElement("span");
        said.className = "counted";
        input.after(said);
      }
      said.textContent = `${[...input.value].length} / ${input.dataset.count}`;
    }
  }
  form.addEventListener("input", counts);

  // Places: a box covers everything below it; the hidden input holds codes, one field for all of them.
  const DIGITS = { province: 2, city: 4, county: 6, township: 9, village: 12 };
  const tree = document.getElementById("tree");
  const boxes = tree ? [...tree.querySelectorAll("[data-code]")] : [];
  const headOf = new Map(boxes.map((box) => [box.dataset.code, box.dataset.code.slice(0, DIGITS[box.dataset.level])]));

  function chosen() {
    try {
      const { regions = [], polygons = [], circles = [] } = JSON.parse(area.value || "{}");
      return { regions, polygons, circles };
    } catch {
      return { regions: [], polygons: [], circles: [] };
    }
  }

  const head = (code) => headOf.get(code) ?? code.replace(/(000)+$/, "");
  const within = (code, wanted) => wanted.some((one) => code === one || code.startsWith(head(one)));

  function show() {
    const { regions, polygons, circles } = chosen();
    for (const box of boxes) {
      box.checked = within(box.dataset.code, regions);
      box.indeterminate = !box.checked && regions.some((one) => within(one, [box.dataset.code]));
    }
    const names = regions.map((one) => tree.querySelector(`[data-code="${CSS.escape(one)}"]`)?.nextElementSibling.textContent ?? one);
    const drawn = polygons.length + circles.length;
    const status = document.getElementById("chosen");
    const parts = [names.length ? `${status.dataset.chosen} ${names.join(status.dataset.comma)}` : "", drawn ? `${status.dataset.shapes} ${drawn}` : ""];
    status.textContent = parts.filter(Boolean).join(" · ") || status.dataset.none;
  }

  function toggle(box) {
    const now = chosen();
    const { code } = box.dataset;
    if (box.checked) {
      now.regions = [...now.regions.filter((one) => !within(one, [code])), code].sort();
    } else {
      // Of a place that was chosen whole, everything stays but this one.
      const whole = now.regions.filter((one) => within(code, [one]) && one !== code);
      const split = boxes.map((one) => one.dataset.code).filter((one) => whole.some((top) => one !== top && within(one, [top])));
      const kept = split.filter((one) => !within(one, [code]) && !within(code, [one]));
      const rest = [...now.regions.filter((one) => one !== code && !whole.includes(one) && !within(one, [code])), ...kept];
      now.regions = rest.filter((one) => !rest.some((other) => other !== one && within(one, [other]))).sort();
    }
    const some = now.regions.length + now.polygons.length + now.circles.length;
    area.value = some ? JSON.stringify(now) : "";
    tell(area, "tongda:area");
    show();
    touched();
  }

  if (tree) {
    tree.addEventListener("change", (event) => {
      event.stopPropagation();
      if (event.target.dataset.code) toggle(event.target);
    });
    area.addEventListener("change", show);
    const find = document.getElementById("find-place");
    find.addEventListener("input", (event) => {
      event.stopPropagation();
      const wanted = find.value.trim().toLowerCase();
      for (const item of [...tree.querySelectorAll("[data-find]")].reverse()) {
        const below = item.querySelector("[data-find]:not([hidden])");
        item.hidden = wanted && !item.dataset.find.toLowerCase().includes(wanted) && !below;
        const more = item.querySelector("details");
        if (more) more.open = Boolean(wanted && below);
      }
    });
    find.addEventListener("change", (event) => event.stopPropagation());
    find.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
    show();
  }

  counts();
  // What is there already is looked at once the scripts are all there.
  window.addEventListener("load", () => { if (form.elements.hazard?.value || form.dataset.cancel) look(50); });
})();

// Maps of the desk's regions: canvas, no tiles, WGS-84. Needs leaflet.js, and for drawing leaflet-geoman.
//
//   <div class="map" data-map="show|pick" data-regions="/desk/regions.geojson" data-label="..."
//       data-words="{...}"></div>
//
// data-area    {"regions": [codes], "polygons": [[[lat, lon], ...]], "circles": [[lat, lon, km]]}
// data-shares  {code: 0..1}: shades each region by its share and shows a legend (show)
// data-focus   code of the region that fills the map; without it the area, else all regions
// data-input   id or name of the hidden input that holds the area (pick); it is read at the start, written
//              with each choice, and tells `change`
// data-words   what the map says, as in gateway/web/console/filters.py
// data-list    id of an empty element that gets a check box for each region (pick): whoever uses no mouse
//              chooses there
//
// data-area and data-shares are followed when a page changes them.
"use strict";

(() => {
  const DIGITS = { province: 2, city: 4, county: 6, township: 9, village: 12 };
  const STEPS = [0.5, 0.8, 0.9, 0.95];
  // More names, or names on a smaller map, would cover one another: they show under the pointer.
  const MOST_NAMES = 60;
  const LEAST_HEIGHT = 280;
  const LONG_LIST = 40;
  const loaded = new Map();

  const prefix = (code, level) => code.slice(0, DIGITS[level] ?? code.replace(/0+$/, "").length);

  // The codes of the features that have no other one below them.
  function finestOf(features) {
    const above = new Set();
    for (const { properties: { code, level } } of features) {
      for (const size of Object.values(DIGITS)) if (size < DIGITS[level]) above.add(code.slice(0, size));
    }
    const codes = features.map(({ properties }) => properties);
    return new Set(codes.filter(({ code, level }) => !above.has(prefix(code, level))).map(({ code }) => code));
  }

  function regionsOf(address) {
    if (!loaded.has(address)) {
      loaded.set(address, fetch(address, { headers: { Accept: "application/geo+json" } }).then((answer) => {
        if (!answer.ok) throw new Error(`regions: ${answer.status}`);
        return answer.json();
      }));
    }
    return loaded.get(address);
  }

  // A canvas takes no variables: a probe tells what a token is in the scheme of the moment.
  function colours(element) {
    const probe = document.createElement("span");
    probe.hidden = true;
    element.append(probe);
    const told = (token) => {
      probe.style.color = `var(--${token})`;
      return getComputedStyle(probe).color;
    };
    const found = {
      line: told("soft"), fill: told("card"), chosen: told("go"), bad: told("bad"),
      shares: [0, 1, 2, 3, 4].map((step) => told(`share-${step}`)),
    };
    probe.remove();
    return found;
  }

  function parsed(text) {
    try {
      return text ? JSON.parse(text) : null;
    } catch {
      return null;
    }
  }

  function areaOf(text) {
    const area = parsed(text) ?? {};
    return { regions: area.regions ?? [], polygons: area.polygons ?? [], circles: area.circles ?? [] };
  }

  // Text of others goes in as text: a string would be read as HTML.
  function plain(text) {
    const element = document.createElement("span");
    element.textContent = text;
    return element;
  }

  class DeskMap {
    constructor(element) {
      this.element = element;
      this.words = parsed(element.dataset.words) ?? {};
      this.picks = element.dataset.map === "pick";
      this.input = this.picks ? inputOf(element) : null;
      this.area = areaOf(this.input?.value || element.dataset.area);
      this.places = new Map();
      this.leaves = new Map();
    }

    async start() {
      try {
        this.regions = await regionsOf(this.element.dataset.regions);
      } catch {
        this.element.append(Object.assign(document.createElement("p"), { className: "map-fault fault", textContent: this.words.fault }));
        return;
      }
      this.features = this.regions.features.filter((one) => one.properties.level !== "village");
      for (const one of this.features) this.places.set(one.properties.code, one.properties);
      this.finest = finestOf(this.features);
      this.list = this.picks ? listOf(this) : null;
      this.draw();
      this.follow();
      this.element.dataset.ready = "1";
    }

    draw() {
      const map = L.map(this.element, { preferCanvas: true, zoomControl: false, zoomSnap: 0.25, pmIgnore: !this.picks });
      this.map = map;
      map.attributionControl.setPrefix(false);
      if (this.regions.note) map.attributionControl.addAttribution(escaped(this.regions.note));
      L.control.zoom({ zoomInTitle: this.words.zoomIn, zoomOutTitle: this.words.zoomOut }).addTo(map);
      if (this.element.dataset.label) this.element.setAttribute("aria-label", this.element.dataset.label);
      this.element.setAttribute("role", "region");
      this.shapes = L.featureGroup().addTo(map);
      this.addRegions();
      this.addShapes();
      this.look();
      if (this.picks && map.pm) this.addTools();
      this.paint();
    }

    // The finest regions that have a border are filled and answer; those above them are outlines.
    addRegions() {
      const drawn = this.features.filter((one) => one.geometry);
      const finest = finestOf(drawn);
      const isLeaf = ({ properties }) => finest.has(properties.code);
      const common = { pmIgnore: true, snapIgnore: true };
      for (const one of drawn.filter(isLeaf)) {
        const layer = L.geoJSON(one, common).addTo(this.map);
        layer.on("click", () => this.toggle(one.properties.code));
        this.leaves.set(one.properties.code, layer);
      }
      const named = this.leaves.size <= MOST_NAMES && this.element.clientHeight >= LEAST_HEIGHT;
      for (const [code, layer] of this.leaves) {
        const options = named ? { permanent: true, direction: "center", className: "place-name" } : { sticky: true };
        layer.bindTooltip(plain(this.places.get(code).name), options);
      }
      this.outlines = L.geoJSON(drawn.filter((one) => !isLeaf(one)), { ...common, interactive: false }).addTo(this.map);
    }

    addShapes() {
      this.shapes.clearLayers();
      const own = { pmIgnore: !this.picks };
      for (const ring of this.area.polygons) this.keep(L.polygon(ring, own));
      for (const [lat, lon, km] of this.area.circles) this.keep(L.circle([lat, lon], { ...own, radius: km * 1000 }));
    }

    keep(layer) {
      this.shapes.addLayer(layer);
      layer.on("pm:edit pm:dragend pm:rotateend", () => this.read());
    }

    look() {
      const bounds = L.latLngBounds([]);
      const focus = this.element.dataset.focus;
      const wanted = focus ? [focus] : this.area.regions;
      for (const [code, layer] of this.leaves) if (this.lies(code, wanted)) bounds.extend(layer.getBounds());
      if (!focus && this.shapes.getLayers().length) {
        // A circle knows its bounds only on a map that has a view.
        this.map.setView(this.shapes.getLayers()[0].getLatLng?.() ?? this.shapes.getLayers()[0].getBounds().getCenter(), 9);
        bounds.extend(this.shapes.getBounds());
      }
      const shares = parsed(this.element.dataset.shares) ?? {};
      for (const [code, layer] of this.leaves) if (!focus && code in shares) bounds.extend(layer.getBounds());
      if (!bounds.isValid() || this.picks) for (const layer of this.leaves.values()) bounds.extend(layer.getBounds());
      const legendWidth = this.element.dataset.shares ? 150 : 16;
      if (bounds.isValid()) this.map.fitBounds(bounds, { paddingTopLeft: [44, 16], paddingBottomRight: [legendWidth, 16] });
      else this.map.setView([35, 105], 4);
    }

    addTools() {
      const { map } = this;
      map.pm.setLang(document.documentElement.lang.startsWith("zh") ? "zh" : "en");
      map.pm.setGlobalOptions({ snappable: false, layerGroup: this.shapes, pathOptions: { pmIgnore: false } });
      map.pm.addControls({
        position: "topleft", drawMarker: false, drawCircleMarker: false, drawPolyline: false, drawText: false,
        drawRectangle: true, drawPolygon: true, drawCircle: true, cutPolygon: false, rotateMode: false,
      });
      for (const button of this.element.querySelectorAll(".leaflet-buttons-control-button")) {
        const title = button.title || button.closest("[title]")?.title || button.querySelector("[title]")?.title;
        if (title) button.setAttribute("aria-label", title);
      }
      map.on("pm:create", ({ layer }) => { this.keep(layer); this.read(); });
      map.on("pm:remove", ({ layer }) => { this.shapes.removeLayer(layer); this.read(); });
    }

    // Whether a region is one of these or lies in one of them.
    lies(code, wanted) {
      return wanted.some((one) => code === one || code.startsWith(prefix(one, this.places.get(one)?.level)));
    }

    toggle(code) {
      if (!this.picks || this.map?.pm?.globalDrawModeEnabled() || this.map?.pm?.globalRemovalModeEnabled()) return;
      const { regions } = this.area;
      if (regions.includes(code)) {
        this.area.regions = regions.filter((one) => one !== code);
      } else if (this.lies(code, regions)) {
        this.area.regions = this.without(code);
      } else {
        this.area.regions = [...regions.filter((one) => !this.lies(one, [code])), code].sort();
      }
      this.write();
    }

    // Of a region that was chosen whole, all its finest parts stay chosen but this one.
    without(code) {
      const whole = this.area.regions.find((one) => this.lies(code, [one]));
      const rest = [...this.finest].filter((one) => this.lies(one, [whole]) && !this.lies(one, [code]));
      return [...this.area.regions.filter((one) => one !== whole), ...rest].sort();
    }

    read() {
      this.area.polygons = [];
      this.area.circles = [];
      for (const layer of this.shapes.getLayers()) {
        if (layer instanceof L.Circle) {
          const { lat, lng } = layer.getLatLng();
          this.area.circles.push([round(lat), round(lng), Math.round(layer.getRadius()) / 1000]);
        } else if (layer instanceof L.Polygon) {
          for (const ring of rings(layer.getLatLngs())) this.area.polygons.push(ring);
        }
      }
      this.write();
    }

    write() {
      this.paint();
      this.list?.show();
      if (!this.input) return;
      const { regions, polygons, circles } = this.area;
      this.input.value = regions.length + polygons.length + circles.length ? JSON.stringify(this.area) : "";
      this.input.dispatchEvent(new Event("input", { bubbles: true }));
      this.input.dispatchEvent(new Event("change", { bubbles: true }));
    }

    paint() {
      if (!this.map) return;
      const colour = colours(this.element);
      const shares = parsed(this.element.dataset.shares);
      for (const [code, layer] of this.leaves) {
        const chosen = this.lies(code, this.area.regions);
        const share = shares?.[code];
        const fill = share != null ? colour.shares[stepOf(share)] : chosen && !shares ? colour.chosen : colour.fill;
        layer.setStyle({
          color: chosen ? colour.chosen : colour.line, weight: chosen ? 2.5 : 1, fillColor: fill,
          fillOpacity: share != null ? 0.85 : chosen && !shares ? 0.4 : 0.6,
        });
        if (share != null) layer.setTooltipContent(plain(`${this.places.get(code).name}\n${Math.floor(share * 1000) / 10}%`));
      }
      this.outlines.setStyle({ color: colour.line, weight: 2, fill: false });
      this.shapes.setStyle({ color: colour.bad, weight: 2.5, fillColor: colour.bad, fillOpacity: 0.15 });
      this.outlines.bringToFront();
      this.shapes.bringToFront();
      if (shares && !this.legend) this.legend = legend(this.words).addTo(this.map);
    }

    follow() {
      new MutationObserver(() => {
        if (!this.picks) {
          this.area = areaOf(this.element.dataset.area);
          this.addShapes();
        }
        this.paint();
      }).observe(this.element, { attributeFilter: ["data-shares", "data-area"] });
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
      new ResizeObserver(() => this.map.invalidateSize()).observe(this.element);
    }

    // A page that fills the hidden input by itself (a region tree of its own) tells it by `tongda:area`.
    reread() {
      this.area = areaOf(this.input?.value);
      this.addShapes();
      this.paint();
      this.list?.show();
    }
  }

  const round = (degrees) => Math.round(degrees * 1e5) / 1e5;
  const stepOf = (share) => STEPS.filter((least) => share >= least).length;

  // Of a ring with holes, the outer one: an alert has no holes.
  function rings(nested) {
    if (!Array.isArray(nested[0])) return [nested.map(({ lat, lng }) => [round(lat), round(lng)])];
    return Array.isArray(nested[0][0]) ? nested.flatMap(rings) : rings(nested[0]);
  }

  function escaped(text) {
    return plain(text).innerHTML;
  }

  function inputOf(element) {
    const name = element.dataset.input;
    if (!name) return null;
    return document.getElementById(name) ?? (element.closest("form") ?? document).querySelector(`[name="${CSS.escape(name)}"]`);
  }

  function legend(words) {
    const filled = (form, limit) => form.replace("%(share)s", `${limit * 100}%`);
    const control = L.control({ position: "bottomright" });
    control.onAdd = () => {
      const box = document.createElement("div");
      box.className = "map-legend";
      [...STEPS, 1].forEach((limit, step) => {
        const said = step === 0 ? filled(words.under, limit) : step === STEPS.length
          ? filled(words.from, STEPS[step - 1]) : `${STEPS[step - 1] * 100}–${limit * 100}%`;
        const swatch = document.createElement("i");
        swatch.className = `share-${step}`;
        box.append(swatch, plain(said));
      });
      return box;
    };
    return control;
  }

  function listOf(map) {
    const box = document.getElementById(map.element.dataset.list ?? "");
    if (!box) return null;
    const { words } = map;
    box.classList.add("map-list");
    const status = Object.assign(document.createElement("p"), { className: "map-chosen" });
    status.setAttribute("role", "status");
    const boxes = map.features.map(({ properties }) => {
      const label = document.createElement("label");
      const check = Object.assign(document.createElement("input"), { type: "checkbox", value: properties.code });
      const code = Object.assign(document.createElement("span"), { className: "code", textContent: properties.code });
      if (properties.level === "township") label.className = "deep";
      check.addEventListener("change", () => map.toggle(properties.code));
      label.append(check, plain(properties.name), code);
      label.dataset.found = `${properties.name} ${properties.code}`.toLowerCase();
      return [check, label];
    });
    box.replaceChildren(status, ...(boxes.length > LONG_LIST ? [filter(boxes, words.filter)] : []), ...boxes.map(([, label]) => label));
    const show = () => {
      const { regions, polygons, circles } = map.area;
      const names = regions.map((code) => map.places.get(code)?.name ?? code);
      const drawn = polygons.length + circles.length;
      const said = [names.join(words.comma), drawn ? `${words.shapes} ${drawn}` : ""].filter(Boolean).join(" · ");
      status.textContent = said ? `${words.chosen} ${said}` : words.none;
      for (const [check] of boxes) {
        check.checked = map.lies(check.value, regions);
        check.indeterminate = !check.checked && regions.some((code) => map.lies(code, [check.value]));
      }
    };
    show();
    return { show };
  }

  function filter(boxes, label) {
    const field = Object.assign(document.createElement("input"), { type: "search", placeholder: label });
    field.setAttribute("aria-label", label);
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLowerCase();
      for (const [, line] of boxes) line.hidden = !line.dataset.found.includes(wanted);
    });
    return field;
  }

  const started = new WeakMap();

  // Also for parts of a page that come later: each map is started once.
  function startAll() {
    for (const element of document.querySelectorAll("[data-map]")) {
      if (started.has(element)) continue;
      const map = new DeskMap(element);
      started.set(element, map);
      map.start();
      map.input?.addEventListener("tongda:area", () => map.reread());
    }
  }

  startAll();
  document.addEventListener("htmx:after:swap", startAll);
})();

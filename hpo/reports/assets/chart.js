"use strict";
// Draws one figure as SVG: panels with axes, lines, points, bars, bands. Colours of the page come from its style sheet, so
// that light and dark need no drawing. What reacts to pointer and keys is in pointing.js.
class Chart {
  static #count = 0;
  static #pen = document.createElement("canvas").getContext("2d");

  constructor(spec, host) {
    this.spec = spec;
    this.panels = spec.panels;
    this.host = host;
    this.hidden = new Set();
    this.zoom = new Map();
    this.at = null; // the point that is shown: panel, series, index
    this.id = "c" + Chart.#count++;
    this.legend = Chart.html("div", "legend");
    this.area = Chart.html("div", "area");
    this.tip = Chart.html("div", "tip");
    this.tip.setAttribute("aria-hidden", "true"); // its words are said by the status, and of a pointer's way not each
    this.tip.hidden = true;
    this.said = Chart.html("div", "said");
    this.said.setAttribute("role", "status");
    this.area.tabIndex = 0;
    this.area.setAttribute("role", "group");
    this.area.setAttribute("aria-roledescription", "figure");
    this.area.setAttribute("aria-label", spec.title + ". Arrow keys go through the points, + and - zoom, 0 shows all.");
    this.frame = Chart.html("div", "frame");
    this.frame.append(this.area, this.tip, this.said);
    this.addLegend();
    host.replaceChildren(this.legend, this.frame);
    this.draw();
  }

  static html(tag, name, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  static svg(tag, attributes = {}, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // Width of a tick label in pixels.
  static width(text) {
    Chart.#pen.font = "11.5px " + getComputedStyle(document.body).fontFamily;
    return Chart.#pen.measureText(text).width;
  }

  // A colour of the figures; on a dark page the style sheet has another in its place.
  static colour(name) {
    return name.startsWith("#") ? `var(--c-${name.slice(1)}, ${name})` : name;
  }

  static cut(text, most) {
    return text.length > most ? text.slice(0, most - 1) + "…" : text;
  }

  addLegend() {
    const named = new Map();
    for (const panel of this.spec.panels) for (const s of panel.series) if (s.name && !s.context && !named.has(s.name)) named.set(s.name, s);
    for (const [name, series] of named) {
      const button = Chart.html("button", "key");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
      const swatch = Chart.svg("svg", { width: 22, height: 10, "aria-hidden": "true" }), colour = Chart.colour(series.colour);
      if (series.kind === "line") swatch.append(Chart.svg("path", { d: "M0 5H22", fill: "none", stroke: colour, "stroke-width": 3, "stroke-dasharray": series.dash || "" }));
      else swatch.append(Chart.svg("rect", { x: 6, width: 10, height: 10, rx: series.kind === "points" ? 5 : 1, fill: series.hollow ? "none" : colour, stroke: colour, "stroke-width": series.hollow ? 2 : 0 }));
      button.append(swatch, name);
      button.addEventListener("click", () => {
        if (!this.hidden.delete(name)) this.hidden.add(name);
        button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
        this.draw();
      });
      this.legend.append(button);
    }
  }

  // Values far from all others lie beyond the axis, marked at its edge, or all lie on it.
  showAll(all) {
    this.panels = all ? this.spec.panels.map((panel) => this.whole(panel)) : this.spec.panels;
    this.zoom.clear();
    this.draw();
  }

  whole(panel) {
    return !panel.y.limits ? panel : panel.whole || { ...panel, y: { ...panel.y, limits: undefined, ...panel.y.all } };
  }

  visible(panel) {
    return panel.series.filter((series) => !this.hidden.has(series.name));
  }

  // The range of an axis: what was zoomed to, what is given, or what the data need.
  range(index, letter) {
    const panel = this.panels[index], axis = panel[letter], zoomed = this.zoom.get(index)?.[letter];
    if (zoomed) return zoomed;
    if (axis.range) return axis.range;
    const forward = axis.log ? Math.log10 : Number;
    let low = Infinity, high = -Infinity;
    const shared = this.spec.shared === letter ? this.panels : [panel];
    if (axis.limits) [low, high] = axis.limits.map(forward);
    else for (const one of shared) {
      for (const series of this.visible(one)) {
        for (const key of letter === "x" ? ["x", "x0", "low", "high"] : ["y", "bottom", "top"]) {
          for (const value of series[key] || []) {
            if (value === null || (axis.log && value <= 0)) continue;
            const place = forward(value);
            if (place < low) low = place;
            if (place > high) high = place;
          }
        }
      }
    }
    if (low > high) return axis.log ? [1, 10] : [0, 1];
    if (axis.zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    const room = (high - low || Math.abs(high) || 1) * (axis.tight ? 0 : 0.04);
    const ends = [axis.zero && low === 0 ? 0 : low - room, axis.zero && high === 0 ? 0 : high + room];
    return axis.log ? ends.map((v) => 10 ** v) : ends;
  }

  static ticks(axis, [low, high], most) {
    if (axis.ticks) return axis.ticks.filter(([place]) => place >= low && place <= high);
    const found = [];
    if (axis.log) {
      const decades = Math.log10(high / low), steps = decades > 4 ? [1] : decades > 1.2 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
      for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
        for (const step of steps) {
          const value = step * 10 ** e;
          if (value >= low * 0.9999 && value <= high * 1.0001) found.push([value, Chart.number(value)]);
        }
      }
      const keep = Math.ceil(found.length / Math.max(most, 2));
      if (found.length > 1) return found.filter((_, i) => i % keep === 0);
      found.length = 0; // so short a part of a decade is as good as linear
    }
    const raw = (high - low) / Math.max(most, 1), power = 10 ** Math.floor(Math.log10(raw)), steps = [0.2, 0.5, 1, 2, 5, 10];
    const count = (step) => Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
    let at = steps.findIndex((m) => m >= 1 && m * power >= raw);
    while (at > 0 && count(steps[at] * power) < 3) at--; // one or two ticks tell no scale
    let step = steps[at] * power;
    if (axis.whole) step = Math.max(1, Math.round(step));
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) {
      const value = k * step;
      const plain = Math.abs(value) < 1e6 && digits < 5 ? value.toFixed(digits) : Chart.number(value);
      found.push([value, axis.percent ? (value * 100).toFixed(Math.max(0, digits - 2)) + "%" : plain]);
    }
    return found;
  }

  static number(value) {
    if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
    for (let digits = 6; digits < 17; digits++) {
      const shown = +value.toPrecision(digits);
      if (Math.abs(shown - value) <= 0.005 * Math.abs(1 - value)) return String(shown);  // a momentum of 0.9999994 is not 1
    }
    return String(value);
  }

  draw() {
    const { spec, panels } = this, least = Math.max(240, ...panels.map((panel) => panel.least || 0));
    const width = Math.max(this.area.clientWidth, least), most = Math.min(spec.columns || 1, panels.length);
    const columns = Math.min(most, Math.max(1, Math.floor(width / 240))), each = spec.height / Math.ceil(panels.length / most);
    const bottom = Math.ceil(panels.length / columns) * each, height = bottom + (spec.label ? 16 : 0);
    const image = Chart.svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    this.views = panels.map((_, index) =>
      this.view(index, { left: (index % columns) * (width / columns), top: Math.floor(index / columns) * each, width: width / columns, height: each, first: index % columns === 0 }));
    this.views.forEach((view) => image.append(this.panel(view)));
    if (spec.label) image.append(Chart.svg("text", { x: width - 8, y: height - 4, "text-anchor": "end", class: "label" }, spec.label));
    this.over = Chart.svg("g", { class: "over" });
    image.append(this.over);
    this.at = null;
    this.area.replaceChildren(image);
    Labels.thin(image);
    this.edges ||= showEdges(this.area);
    this.edges();
    this.tip.hidden = true;
    this.host.dispatchEvent(new CustomEvent("zoomed", { detail: this.zoom.size > 0 }));
  }

  // Where a panel's data lie in the image, with room for its labels.
  view(index, box) {
    const panel = this.panels[index], title = this.spec.shared !== "y" ? panel.y.title : box.first ? this.panels[0].y.title : "";
    const [x, y] = ["x", "y"].map((letter) => this.range(index, letter));
    const yTicks = Chart.ticks(panel.y, y, Math.max(2, box.height / 55));
    const wide = panel.y.bare ? 0 : Math.max(10, ...yTicks.map(([, text]) => Chart.width(Chart.cut(text, 36))));
    const left = box.left + (panel.y.bare ? 28 : 14 + wide + (title ? 22 : 0));
    const right = box.left + box.width - (panel.right || 14);
    const xTicks = Chart.ticks(panel.x, x, Math.max(2, (right - left) / 75));
    const widest = Math.max(0, ...xTicks.map(([, text]) => Chart.width(Chart.cut(text, 18))));
    const turned = panel.x.ticks && xTicks.length > 1 && widest + 8 > (right - left) / xTicks.length;
    const below = panel.x.above ? 10 : 22 + (turned ? widest * 0.5 + 4 : 0) + (panel.x.title ? 18 : 0);
    const top = box.top + (!panel.x.above ? 8 : turned ? 20 + widest * 0.64 : 24), bottom = box.top + box.height - below;
    const scale = (axis, [low, high], from, to) => {
      const f = axis.log ? Math.log : Number, a = f(low), slope = (to - from) / (f(high) - a || 1);
      const map = (v) => v === null || (axis.log && v <= 0) ? NaN : Math.min(Math.max(from + (f(v) - a) * slope, -1e5), 1e5);
      map.back = (p) => axis.log ? Math.exp(a + (p - from) / slope) : a + (p - from) / slope;
      return map;
    };
    const fromY = panel.y.reversed ? [top, bottom] : [bottom, top], px = scale(panel.x, x, left, right), py = scale(panel.y, y, ...fromY);
    const limited = panel.y.limits && !this.zoom.has(index), at = (v) => limited ? Math.min(Math.max(py(v), top), bottom) : py(v);
    return { index, panel, title, left, right, top, bottom, wide, widest, xTicks, yTicks, turned, px, py, at, limited, ranges: { x, y } };
  }

  panel(view) {
    const { panel, left, right, top, bottom, px, py } = view, group = Chart.svg("g");
    const clip = `${this.id}-${view.index}`, frame = { x: left, y: top, width: Math.max(right - left, 1), height: Math.max(bottom - top, 1) };
    group.append(Chart.svg("clipPath", { id: clip }));
    group.lastChild.append(Chart.svg("rect", { ...frame, x: left - 3, width: frame.width + 6, y: top - 3, height: frame.height + 6 }));
    group.append(Chart.svg("rect", { ...frame, class: "ground" }));
    let grid = "";
    if (!panel.x.bare) for (const [v] of view.xTicks) grid += `M${px(v).toFixed(1)} ${top}V${bottom}`;
    if (!panel.y.bare && !panel.y.plain) for (const [v] of view.yTicks) grid += `M${left} ${py(v).toFixed(1)}H${right}`;
    group.append(Chart.svg("path", { d: grid, class: "grid" }));
    const axisY = panel.x.above ? top - 8 : bottom + 15;
    for (const [v, text] of view.xTicks) {
      const at = { x: px(v).toFixed(1), y: axisY, class: "tick", "text-anchor": view.turned ? "end" : "middle" };
      if (view.turned) at.transform = `rotate(${panel.x.above ? -40 : -30} ${at.x} ${axisY - 4})`;
      if (view.turned && panel.x.above) at["text-anchor"] = "start";
      group.append(this.named("text", at, text, 18));
    }
    if (!panel.y.bare) for (const [v, text] of view.yTicks) group.append(this.named("text", { x: left - 7, y: py(v) + 4, class: "tick", "text-anchor": "end" }, text, 36));
    if (panel.x.title) group.append(this.named("text", { x: (left + right) / 2, y: bottom + (view.turned ? 30 + view.widest * 0.5 : 34), class: "title", "text-anchor": "middle" }, panel.x.title, 48));
    if (view.title && !panel.y.bare) {
      group.append(this.named("text", { transform: `translate(${left - view.wide - 17} ${(top + bottom) / 2}) rotate(-90)`, class: "title", "text-anchor": "middle" }, view.title, 40));
    }
    const marks = Chart.svg("g", { "clip-path": `url(#${clip})` });
    for (const place of panel.verticals || []) marks.append(Chart.svg("path", { d: `M${px(place)} ${top}V${bottom}`, class: "vertical" }));
    const bands = (series) => series.kind !== "band"; // they lie below everything else
    for (const series of this.visible(panel).sort((a, b) => bands(a) - bands(b))) this.mark(series, view, marks);
    group.append(marks);
    const [one, two] = panel.verticals || [], room = two === undefined ? Infinity : px(two) - px(one) - 14; // to the next axis
    for (const [v, u, text] of panel.notes || []) {
      const x = px(v) + 5, y = py(u), note = Chart.svg("g", { class: "noted" });
      let most = 16;
      while (most > 2 && Chart.width(Chart.cut(text, most)) > room) most--;
      note.append(Chart.svg("rect", { x: x - 2, y: y - 8, width: Chart.width(Chart.cut(text, most)) + 4, height: 16, rx: 3, class: "plate" }));
      note.append(this.named("text", { x, y: y + 4, class: "note" }, text, most));
      group.append(note);
    }
    return group;
  }

  named(tag, attributes, text, most) {
    const element = Chart.svg(tag, attributes, Chart.cut(text, most));
    if (text.length > most) element.append(Chart.svg("title", {}, text));
    return element;
  }

  mark(series, view, into) {
    const { kind } = series, { px, py } = view, colour = Chart.colour(series.colour), f = (v) => v.toFixed(1);
    const put = (d, attributes) => d && into.append(Chart.svg("path", { d, class: series.context ? "mark context" : "mark", ...attributes }));
    if (kind === "line") {
      put(Chart.path(series, px, py, 0, series.x.length), { stroke: colour, fill: "none", "stroke-width": series.width || 1.2, "stroke-dasharray": series.dash || "", "stroke-linejoin": "round" });
    } else if (kind === "band") {
      let d = "", up = [], down = [];
      for (let i = 0; i <= series.x.length; i++) {
        if (i < series.x.length && series.top[i] !== null) {
          for (const j of series.step && up.length ? [i - 1, i] : [i]) { // a step keeps the height until it is there
            up.push(`${f(px(series.x[i]))} ${f(py(series.top[j]))}`);
            down.unshift(`${f(px(series.x[i]))} ${f(py(series.bottom[j]))}`);
          }
        } else if (up.length) {
          d += `M${up.join("L")}L${down.join("L")}Z`;
          [up, down] = [[], []];
        }
      }
      put(d, { fill: colour, "fill-opacity": series.opacity, stroke: colour, "stroke-width": 0.6 });
    } else if (kind === "bars") {
      let d = "";
      series.x.forEach((x, i) => {
        const half = series.thick / 2, a = px(series.x0[i]), b = px(x), y = py(series.y[i] - half), end = py(series.y[i] + half);
        if (b - a > 0.01) d += `M${a.toFixed(2)} ${f(y)}H${b.toFixed(2)}V${f(end)}H${a.toFixed(2)}Z`;
      });
      const edge = series.x.length < 2000 ? { stroke: "var(--ink)", "stroke-opacity": 0.45, "stroke-width": 0.5 } : {}; // not the ground's colour: that is idle time
      put(d, { fill: colour, ...edge });
    }
    if (series.low) {
      let d = "";
      series.low.forEach((low, i) => {
        if (low !== null) d += `M${f(px(low))} ${f(py(series.y[i]))}H${f(px(series.high[i]))}m0-4v8M${f(px(low))} ${f(py(series.y[i]) - 4)}v8`;
      });
      put(d, { stroke: kind === "bars" ? "var(--ink)" : colour, "stroke-width": 1.4, fill: "none" });
    }
    if (kind === "points" || series.dots) {
      let d = "";
      const size = series.dots || series.size || 4;
      for (let i = 0; i < series.x.length; i++) {
        const x = px(series.x[i]), y = py(series.y[i]);
        if (!Number.isNaN(x) && !Number.isNaN(y)) d += series.hollow ? `M${f(x - size / 2)} ${f(y)}a${size / 2} ${size / 2} 0 1 0 ${size} 0a${size / 2} ${size / 2} 0 1 0 ${-size} 0` : `M${f(x)} ${f(y)}h0`;
      }
      put(d, { stroke: colour, "stroke-width": series.hollow ? 2 : size, "stroke-linecap": "round", fill: "none" });
    }
    if (view.limited) {
      let d = "";
      series.x.forEach((x, i) => {
        const value = series.y?.[i] ?? null, y = py(value), edge = view.at(value);
        if (y < edge || y > edge) d += `M${f(px(x))} ${f(edge)}l4 ${y < edge ? 7 : -7}h-8Z`;
      });
      put(d, { fill: colour, class: "mark beyond" });
    }
  }

  static path(series, px, py, from, to) {
    let d = "", open = false;
    for (let i = from; i < to; i++) {
      const x = px(series.x[i]), y = py(series.y[i]);
      if (Number.isNaN(x) || Number.isNaN(y)) open = false;
      else {
        const a = x.toFixed(1), b = y.toFixed(1);
        d += !open ? `M${a} ${b}` : series.step ? `H${a}V${b}` : `L${a} ${b}`;
        open = true;
      }
    }
    return d;
  }
}

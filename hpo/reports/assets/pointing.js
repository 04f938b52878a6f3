"use strict";
// A chart that answers: pointer, arrow keys and touch show values; dragging, + and - zoom; double-click and 0 show all again.
class PointedChart extends Chart {
  constructor(spec, host) {
    super(spec, host);
    this.listen();
  }

  listen() {
    let from = null;
    const where = (event) => {
      const box = this.area.getBoundingClientRect();
      return [event.clientX - box.left + this.area.scrollLeft, event.clientY - box.top];
    };
    const viewAt = (x, y) => this.views.find((v) => x >= v.left - 4 && x <= v.right + 4 && y >= v.top - 4 && y <= v.bottom + 4);
    this.area.addEventListener("pointerdown", (event) => {
      const [x, y] = where(event), view = viewAt(x, y);
      if (view && event.button === 0 && event.pointerType === "mouse") from = { x, y, view };
    });
    this.area.addEventListener("pointermove", (event) => {
      const [x, y] = where(event);
      if (from) {
        this.tip.hidden = true;
        this.over.replaceChildren(Chart.svg("rect", { class: "drag", x: Math.min(x, from.x), y: Math.min(y, from.y), width: Math.abs(x - from.x), height: Math.abs(y - from.y) }));
        return;
      }
      const view = viewAt(x, y), found = view && this.nearest(view, x, y);
      if (found) this.show(found);
      else this.hide();
    });
    addEventListener("pointerup", (event) => {
      if (!from) return;
      const [x, y] = where(event), { view } = from, a = { x: from.x, y: from.y };
      from = null;
      this.over.replaceChildren();
      if (Math.abs(x - a.x) < 6 || Math.abs(y - a.y) < 6) return;
      const inside = (v, low, high) => Math.min(Math.max(v, low), high);
      const span = (map, one, two) => [map.back(one), map.back(two)].sort((p, q) => p - q);
      this.zoom.set(view.index, {
        x: span(view.px, inside(a.x, view.left, view.right), inside(x, view.left, view.right)),
        y: span(view.py, inside(a.y, view.top, view.bottom), inside(y, view.top, view.bottom)),
      });
      this.draw();
    });
    this.area.addEventListener("pointerleave", () => this.hide());
    this.area.addEventListener("dblclick", () => this.reset());
    this.area.addEventListener("blur", () => this.hide());
    this.area.addEventListener("keydown", (event) => this.key(event));
    let width = this.area.clientWidth;
    new ResizeObserver(() => {
      if (Math.abs(this.area.clientWidth - width) < 2) return;
      width = this.area.clientWidth;
      this.draw();
    }).observe(this.area);
  }

  reset() {
    this.zoom.clear();
    this.draw();
  }

  key(event) {
    const at = this.at || { view: this.views[0], series: null, index: -1 };
    const all = this.visible(at.view.panel).filter((s) => s.kind !== "band");
    if (event.key === "Escape") this.hide();
    else if (event.key === "0") this.reset();
    else if (event.key === "+" || event.key === "-") {
      const { view } = at, factor = event.key === "+" ? 0.3 : 0.8, part = at.series ? [view.px(at.series.x[at.index]), view.at(at.series.y[at.index])] : [(view.left + view.right) / 2, (view.top + view.bottom) / 2];
      const around = (map, p, half) => [map.back(p - half), map.back(p + half)].sort((a, b) => a - b);
      this.zoom.set(view.index, { x: around(view.px, part[0], (view.right - view.left) * factor), y: around(view.py, part[1], (view.bottom - view.top) * factor) });
      this.draw();
    } else if (event.key.startsWith("Arrow") && all.length) {
      const across = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      let series = at.series || all[0], index = at.index;
      if (across) {
        do index += across; while (index >= 0 && index < series.x.length && series.y[index] === null);
      } else {
        series = all[(all.indexOf(series) + (event.key === "ArrowDown" ? 1 : all.length - 1)) % all.length];
        index = Math.min(Math.max(index, 0), series.x.length - 1);
      }
      if (index >= 0 && index < series.x.length && series.y[index] !== null) {
        this.show({ view: at.view, series, index });
        this.said.textContent = [...this.tip.children].map((line) => line.textContent).join(", ");
      }
    } else return;
    event.preventDefault();
  }

  // The point next to the pointer; of a bar the one it is in.
  nearest(view, x, y) {
    let best = null, least = 30 ** 2;
    for (const series of this.visible(view.panel)) {
      if (series.kind === "band") continue;
      for (let i = 0; i < series.x.length; i++) {
        let dx = view.px(series.x[i]) - x;
        const dy = view.at(series.y[i]) - y;
        if (series.kind === "bars") dx = Math.max(view.px(series.x0[i]) - x, 0, x - view.px(series.x[i]));
        const distance = dx * dx + dy * dy;
        if (distance < least) [least, best] = [distance, { view, series, index: i }];
      }
    }
    return best;
  }

  show({ view, series, index }) {
    this.at = { view, series, index };
    const x = view.px(series.x[index]), y = view.at(series.y[index]), { panel } = view;
    this.over.replaceChildren();
    if (series.kind === "line" && series.gaps) {
      let from = index, to = index;
      while (from > 0 && series.y[from - 1] !== null) from--;
      while (to < series.x.length && series.y[to] !== null) to++;
      this.over.append(Chart.svg("path", { d: Chart.path(series, view.px, view.py, from, to), class: "chosen" }));
    }
    this.over.append(Chart.svg("circle", { cx: x, cy: y, r: 5, class: "ring" }));
    const tick = (axis, v) => axis.ticks ? (axis.ticks.find(([place]) => Math.abs(place - v) < 0.5) || [0, ""])[1] : axis.percent ? (v * 100).toFixed(1) + "%" : Chart.number(v);
    const lines = [series.labels?.[index] || series.name];
    if (!panel.quiet) lines.push(`${panel.x.title || "x"}: ${tick(panel.x, series.x[index])}`, `${panel.y.title || "y"}: ${tick(panel.y, series.y[index])}`);
    this.tip.replaceChildren(...lines.filter(Boolean).map((line) => Chart.html("div", "", line)));
    this.tip.hidden = false;
    const width = this.area.clientWidth, room = width - this.tip.offsetWidth - 4;
    if (x < this.area.scrollLeft || x > this.area.scrollLeft + width) this.area.scrollLeft = x - width / 2;
    this.tip.style.left = Math.max(0, Math.min(x - this.area.scrollLeft + 12, room)) + "px";
    this.tip.style.top = Math.max(0, y - this.tip.offsetHeight - 10) + "px";
  }

  hide() {
    this.at = null;
    this.tip.hidden = true;
    this.said.textContent = "";
    this.over.replaceChildren();
  }
}

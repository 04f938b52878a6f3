"use strict";
// A chart that goes on: long lines lie on a canvas below the drawing, and what has come since is drawn alone, a frame at a time.
const MANY_POINTS = 1500;

class LiveChart extends PointedChart {
  // A line that goes on in front of the others: what came since the figure was made.
  setTail(series) {
    this.tail = series.map((one) => ({ ...one, tail: true }));
    if (this.due) return;
    this.due = requestAnimationFrame(() => {
      this.due = 0;
      if (this.holder?.isConnected && this.fits()) this.redrawTail();
      else this.draw();
    });
  }

  setSpec(spec) {
    const stem = (name) => name.replace(/ \(\d+\)$/, "");
    const hidden = new Set([...this.hidden].map(stem)), focused = [...this.legend.children].indexOf(document.activeElement);
    const all = this.panels !== this.spec.panels;
    this.spec = spec;
    this.panels = spec.panels;
    this.tail = [];
    this.hidden = new Set(spec.panels.flatMap((panel) => panel.series).map((series) => series.name).filter((name) => hidden.has(stem(name))));
    this.legend.replaceChildren();
    this.addLegend();
    if (focused >= 0) this.legend.children[Math.min(focused, this.legend.children.length - 1)]?.focus();
    if (all) this.panels = spec.panels.map((panel) => this.whole(panel));
    this.draw();
  }

  visible(panel) {
    const found = super.visible(panel);
    return panel === this.panels[0] && this.tail ? [...found, ...this.tail.filter((series) => !this.hidden.has(series.name))] : found;
  }

  // Room for what is to come, so that the axis need not be drawn again with each second.
  range(index, letter) {
    const found = super.range(index, letter), axis = this.panels[index][letter];
    return this.growing && letter === "x" && axis.zero && !axis.whole && !this.zoom.get(index) ? [found[0], found[1] * 1.06] : found;
  }

  fits() {
    const view = this.views[0];
    if (this.zoom.has(0)) return true;
    return this.tail.every((series) => ["x", "y"].every((letter) => {
      const [low, high] = view.ranges[letter], limited = letter === "y" && view.limited;
      return limited || series[letter].every((value) => value === null || (value >= low && value <= high));
    }));
  }

  redrawTail() {
    this.holder.replaceChildren();
    for (const series of this.tail) if (!this.hidden.has(series.name)) super.mark(series, this.views[0], this.holder);
  }

  draw() {
    const at = this.at && { panel: this.at.view.index, name: this.at.series.name, label: this.at.series.labels?.[this.at.index], x: this.at.series.x[this.at.index] };
    const said = this.said.textContent;
    this.lines = [];
    this.holder = null;
    super.draw();
    this.paint();
    if (at) this.find(at, said);
  }

  // Whoever was at a point stays there.
  find(at, said) {
    const view = this.views[at.panel];
    for (const series of view ? this.visible(view.panel) : []) {
      if (series.kind === "band") continue;
      const index = series.x.findIndex((x, i) => x === at.x && series.y[i] !== null && series.labels?.[i] === at.label);
      if (index < 0) continue;
      this.show({ view, series, index });
      this.said.textContent = said;
      return;
    }
  }

  mark(series, view, into) {
    if (series.tail) {
      if (!this.holder) {
        this.holder = Chart.svg("g");
        into.append(this.holder);
      }
      into = this.holder;
    } else if (series.kind === "line" && series.x.length > MANY_POINTS && !series.step) {
      this.lines.push({ series, view });
      super.mark({ ...series, kind: "drawn" }, view, into); // its points, and its marks at the edge
      return;
    }
    super.mark(series, view, into);
  }

  paint() {
    if (!this.lines.length) return;
    const image = this.area.querySelector("svg"), width = image.width.baseVal.value, height = image.height.baseVal.value, scale = devicePixelRatio || 1;
    const canvas = Chart.html("canvas"), pen = canvas.getContext("2d"), style = getComputedStyle(root);
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
    pen.scale(scale, scale);
    for (const { series, view } of this.lines) {
      pen.save();
      pen.beginPath();
      pen.rect(view.left - 3, view.top - 3, view.right - view.left + 6, view.bottom - view.top + 6);
      pen.clip();
      pen.beginPath();
      let open = false;
      for (let i = 0; i < series.x.length; i++) {
        const x = view.px(series.x[i]), y = view.py(series.y[i]);
        if (Number.isNaN(x) || Number.isNaN(y)) open = false;
        else {
          if (open) pen.lineTo(x, y);
          else pen.moveTo(x, y);
          open = true;
        }
      }
      pen.strokeStyle = style.getPropertyValue("--c-" + series.colour.slice(1)).trim() || series.colour;
      pen.lineWidth = series.width || 1.2;
      pen.lineJoin = "round";
      pen.stroke();
      pen.restore();
    }
    this.area.prepend(canvas);
  }
}

"use strict";
// Labels of a figure: none may lie on another, however narrow the page is.
class Labels {
  // Takes labels away that would lie on others, those drawn later first.
  static thin(image) {
    const kept = [];
    for (const text of image.querySelectorAll("text")) {
      const box = text.getBBox(), map = text.getCTM(), corners = [];
      if (!box.width) continue; // nothing is drawn yet
      for (const x of [box.x, box.x + box.width]) for (const y of [box.y + 2, box.y + box.height - 2]) corners.push([map.a * x + map.c * y + map.e, map.b * x + map.d * y + map.f]);
      const shape = { corners, sides: [[map.a, map.b], [map.c, map.d]] };
      if (kept.some((other) => Labels.cross(shape, other))) (text.closest(".noted") || text).remove();
      else kept.push(shape);
    }
  }

  // Two rectangles cross unless they lie apart along a side of one of them.
  static cross(one, other) {
    return [...one.sides, ...other.sides].every(([x, y]) => {
      const [p, q] = [one, other].map(({ corners }) => corners.map(([u, v]) => u * x + v * y));
      return Math.max(...p) > Math.min(...q) && Math.max(...q) > Math.min(...p);
    });
  }
}

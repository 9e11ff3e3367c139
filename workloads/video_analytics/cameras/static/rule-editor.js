// Draws lines and polygons on a frame. The points stand in a text field, one "x, y" a line, as
// fractions of width and height: with the keyboard they are typed there, and the drawing follows.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const LONGEST = 64;

  const read = (text) =>
    text
      .split("\n")
      .map((line) => line.split(/[,;\s]+/).filter(Boolean).map(Number))
      .filter((pair) => pair.length === 2 && pair.every((n) => Number.isFinite(n) && n >= 0 && n <= 1));

  const write = (points) => points.map(([x, y]) => `${x.toFixed(4)}, ${y.toFixed(4)}`).join("\n");

  const start = (frame) => {
    const field = document.getElementById(frame.dataset.points);
    const svg = frame.querySelector("svg");
    const layer = document.createElementNS(SVG, "g");
    const closed = () => {
      const chooser = document.querySelector("[data-shape]");
      const chosen = chooser && chooser.querySelector("input:checked, option:checked");
      return (chosen ? chosen.value : frame.dataset.draw) !== "line";
    };
    let points = read(field.value);
    let held = -1;
    svg.append(layer);

    const draw = () => {
      layer.replaceChildren();
      const shape = document.createElementNS(SVG, closed() ? "polygon" : "polyline");
      shape.setAttribute("class", closed() ? "bv-shape" : "bv-shape bv-shape--line");
      shape.setAttribute("points", points.map((p) => p.join(",")).join(" "));
      layer.append(shape);
      points.forEach(([x, y]) => {
        const dot = document.createElementNS(SVG, "ellipse");
        const box = frame.getBoundingClientRect();
        dot.setAttribute("class", "bv-point");
        dot.setAttribute("cx", x);
        dot.setAttribute("cy", y);
        dot.setAttribute("rx", 7 / box.width);
        dot.setAttribute("ry", 7 / box.height);
        layer.append(dot);
      });
    };
    const keep = () => {
      field.value = write(points);
      draw();
    };
    const where = (event) => {
      const box = frame.getBoundingClientRect();
      const part = (value, from, size) => Math.min(1, Math.max(0, (value - from) / size));
      return [part(event.clientX, box.left, box.width), part(event.clientY, box.top, box.height)];
    };
    const near = ([x, y]) => {
      const box = frame.getBoundingClientRect();
      return points.findIndex(([a, b]) => Math.hypot((a - x) * box.width, (b - y) * box.height) < 12);
    };

    frame.classList.add("bv-frame--drawn");
    frame.addEventListener("pointerdown", (event) => {
      const at = where(event);
      held = near(at);
      if (held < 0 && points.length < LONGEST) held = points.push(at) - 1;
      frame.setPointerCapture(event.pointerId);
      event.preventDefault();
      keep();
    });
    frame.addEventListener("pointermove", (event) => {
      if (held < 0) return;
      points[held] = where(event);
      keep();
    });
    ["pointerup", "pointercancel"].forEach((name) => frame.addEventListener(name, () => { held = -1; }));
    field.addEventListener("input", () => { points = read(field.value); draw(); });
    document.querySelectorAll("[data-draw]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", () => {
        points = button.dataset.draw === "clear" ? [] : points.slice(0, -1);
        keep();
      });
    });
    document.addEventListener("change", draw);
    addEventListener("resize", draw);
    draw();
  };

  document.querySelectorAll("[data-points]").forEach(start);
})();

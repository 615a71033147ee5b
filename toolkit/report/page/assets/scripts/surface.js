"use strict";
// The surface of scores over thresholds and minimums, and a slice of it; drawn on the axes of uPlot.
Page.surface = {
  stops: ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"],

  start() {
    if (!Page.live.classes.length) return;
    const place = document.getElementById("surface");
    Page.surface.map = Page.charts.add(place, Page.surface.build, 300);
    Page.surface.slice = Page.charts.add(document.getElementById("slice"), Page.surface.buildSlice, 300);
    Page.surface.key = Page.surface.keyNow();
    Page.live.listeners.push(Page.surface.follow);
  },

  // What the drawn surface depends on; the sliders alone only move the cross.
  keyNow() {
    const one = Page.live.current;
    const triplet = Page.live.isTriplet(one);
    return `${Page.live.chosen} ${triplet ? one.triplet_at.area : "-"}`;
  },

  follow() {
    if (!Page.surface.map.drawn) return;
    const key = Page.surface.keyNow();
    if (key !== Page.surface.key) {
      Page.surface.key = key;
      Page.surface.map.draw();
    } else Page.surface.map.drawn.redraw(false);
    Page.surface.slice.draw();
  },

  // The grid that is shown: rows are minimums, or top thresholds of triplets.
  grid() {
    const one = Page.live.current;
    if (Page.live.isTriplet(one)) {
      const { bottoms, areas, tops, scores } = one.triplet;
      const at = (x, y) => scores[(x * areas.length + one.triplet_at.area) * tops.length + y];
      return { across: bottoms, rows: tops.length, at, name: (y) => tops[y].toFixed(2), label: "top threshold", x: one.triplet_at.bottom, y: one.triplet_at.top, triplet: true };
    }
    const { thresholds, minimums, scores } = one;
    const at = (x, y) => scores[x * minimums.length + y];
    const label = one.minimum === "minimum_area" ? "minimum area, pixels" : "minimum object size, pixels";
    return { across: thresholds, rows: minimums.length, at, name: (y) => String(minimums[y]), label, x: one.at.threshold, y: one.at.minimum, triplet: false };
  },

  // The worst, the middle and the best score: half of the surface has the colours above the middle of the scale,
  // because most of it is far worse than the best; no score is outside of the scale.
  range(grid) {
    const values = [];
    for (let x = 0; x < grid.across.length; x++) for (let y = 0; y < grid.rows; y++) values.push(grid.at(x, y));
    const known = values.filter((value) => !Number.isNaN(value)).sort((one, other) => one - other);
    if (!known.length) return [0, 0.5, 1];
    const [low, median, high] = [known[0], known[known.length >> 1], known[known.length - 1]];
    const found = [low, low < median && median < high ? median : (low + high) / 2, high];
    return Page.live.data.direction === "min" ? found.reverse() : found;
  },

  // The place of a score on the scale of colours, 0–1: straight from the worst to the middle, and from there to the best.
  share(value, [low, middle, high]) {
    if ((value - middle) * (high - middle) > 0) return 0.5 + (0.5 * (value - middle)) / (high - middle);
    return middle === low ? 1 : (0.5 * (value - low)) / (middle - low);
  },

  colour(share) {
    const stops = Page.surface.stops;
    const at = Math.max(0, Math.min(1, share)) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(at));
    const part = (stop, from) => parseInt(stop.slice(from, from + 2), 16);
    return [1, 3, 5].map((from) => part(stops[low], from) + (at - low) * (part(stops[low + 1], from) - part(stops[low], from)));
  },

  picture(grid, range) {
    const canvas = document.createElement("canvas");
    canvas.width = grid.across.length;
    canvas.height = grid.rows;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(canvas.width, canvas.height);
    for (let y = 0; y < grid.rows; y++) {
      for (let x = 0; x < grid.across.length; x++) {
        const value = grid.at(x, y);
        const colour = Number.isNaN(value) ? [128, 128, 128] : Page.surface.colour(Page.surface.share(value, range));
        pixels.data.set([...colour, 255], 4 * ((grid.rows - 1 - y) * canvas.width + x));
      }
    }
    context.putImageData(pixels, 0, 0);
    return canvas;
  },

  build(width, height) {
    const grid = Page.surface.grid();
    const range = Page.surface.range(grid);
    const picture = Page.surface.picture(grid, range);
    ["low", "middle", "high"].forEach((name, at) => {
      document.getElementById(`scale-${name}`).textContent = Page.score(range[at]);
    });
    const step = grid.across.length > 1 ? grid.across[1] - grid.across[0] : 1;
    const [first, last] = [grid.across[0] - step / 2, grid.across[grid.across.length - 1] + step / 2];
    return {
      data: [Array.from(grid.across), Array.from(grid.across, () => null)],
      options: {
        width,
        height,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { show: false } },
        scales: { x: { time: false, range: [first, last] }, y: { range: [-0.5, grid.rows - 0.5] } },
        axes: [
          Page.charts.axis({ label: grid.triplet ? "bottom threshold" : "threshold", size: 34, grid: { show: false } }),
          Page.charts.axis({
            label: grid.label,
            size: 52,
            grid: { show: false },
            splits: () => Page.surface.ticks(grid.rows),
            values: (u, splits) => splits.map(grid.name),
          }),
        ],
        series: [{}, {}],
        hooks: {
          drawClear: [
            (u) => {
              u.ctx.imageSmoothingEnabled = false;
              u.ctx.drawImage(picture, u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
            },
          ],
          draw: [(u) => Page.surface.marks(u)],
          ready: [(u) => u.over.addEventListener("click", () => Page.surface.choose(u))],
        },
      },
    };
  },

  ticks(rows) {
    const count = Math.min(8, rows);
    const found = Array.from({ length: count }, (_, at) => Math.round((at * (rows - 1)) / Math.max(1, count - 1)));
    return [...new Set(found)];
  },

  choose(u) {
    const one = Page.live.current;
    const grid = Page.surface.grid();
    if (Page.live.mode === "kept") Page.live.setMode(grid.triplet ? "triplet" : "simple");
    const value = u.posToVal(u.cursor.left, "x");
    let x = 0;
    for (let at = 1; at < grid.across.length; at++) {
      if (Math.abs(grid.across[at] - value) < Math.abs(grid.across[x] - value)) x = at;
    }
    const y = Math.max(0, Math.min(grid.rows - 1, Math.round(u.posToVal(u.cursor.top, "y"))));
    if (grid.triplet) Object.assign(one.triplet_at, { bottom: x, top: y });
    else one.at = { threshold: x, minimum: y };
    Page.live.setRanges();
    Page.live.change();
  },

  marks(u) {
    const grid = Page.surface.grid();
    const one = Page.live.current;
    const counted = new Map();
    const drawn = new Set(Page.live.mode === "kept" ? [] : ["sliders"]);
    for (const mark of one.marks) {
      if (grid.triplet !== Boolean(mark.triplet)) continue;
      const [x, y] = grid.triplet ? [mark.triplet[0], mark.triplet[2]] : [mark.threshold, mark.minimum];
      const key = `${mark.name} ${x} ${y}`;
      counted.set(key, (counted.get(key) || 0) + 1);
      drawn.add(mark.name);
      Page.surface.sign(u, mark.name, u.valToPos(grid.across[x], "x", true), u.valToPos(y, "y", true), counted.get(key));
    }
    for (const item of document.querySelectorAll("#surface-legend li")) item.hidden = !drawn.has(item.dataset.sign);
    if (Page.live.mode !== "kept") {
      Page.surface.sign(u, "sliders", u.valToPos(grid.across[grid.x], "x", true), u.valToPos(grid.y, "y", true), 1);
    }
  },

  // White with a dark edge, so that signs are seen on every colour.
  sign(u, name, x, y, count) {
    const context = u.ctx;
    const size = 6 * devicePixelRatio;
    context.save();
    context.beginPath();
    if (name === "untuned") context.rect(x - size, y - size, 2 * size, 2 * size);
    else if (name === "nested") context.arc(x, y, size * (1 + 0.45 * count), 0, 2 * Math.PI);
    else if (name === "tuned") {
      for (let point = 0; point < 10; point++) {
        const far = point % 2 ? size * 0.5 : size * 1.25;
        const angle = (point * Math.PI) / 5 - Math.PI / 2;
        context.lineTo(x + far * Math.cos(angle), y + far * Math.sin(angle));
      }
      context.closePath();
    } else {
      context.moveTo(x - 2 * size, y);
      context.lineTo(x + 2 * size, y);
      context.moveTo(x, y - 2 * size);
      context.lineTo(x, y + 2 * size);
    }
    context.lineWidth = 4 * devicePixelRatio;
    context.strokeStyle = "#1c2026";
    context.stroke();
    context.lineWidth = 2 * devicePixelRatio;
    context.strokeStyle = "#ffffff";
    context.stroke();
    if (name === "tuned") {
      context.fillStyle = Page.colour("--vermilion");
      context.fill();
    }
    context.restore();
  },

  buildSlice(width, height) {
    const grid = Page.surface.grid();
    const at = [];
    const best = [];
    for (let x = 0; x < grid.across.length; x++) {
      const column = Array.from({ length: grid.rows }, (_, y) => grid.at(x, y));
      at.push(column[grid.y]);
      best.push(column.reduce((one, other) => (Page.better(other, one) ? other : one)));
    }
    const known = (values) => values.map((value) => (Number.isNaN(value) ? null : value));
    const chart = {
      across: grid.triplet ? "bottom threshold" : "threshold",
      places: Array.from(grid.across),
      series: [
        { name: "best", values: known(best), colour: Page.colour("--vermilion"), style: "dashed" },
        { name: "chosen", values: known(at), colour: Page.colour("--accent"), style: "line" },
      ],
      marks: Page.live.mode === "kept" ? [] : [[grid.across[grid.x], Page.score(Page.live.scoreOf(Page.live.current))]],
      isTime: false,
      logarithmic: false,
      limits: null,
    };
    return Page.charts.lines(chart, null, null)(width, height);
  },
};

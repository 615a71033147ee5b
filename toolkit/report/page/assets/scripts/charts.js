"use strict";
// Line charts, drawn by uPlot; their legends are in the page, and show the values below the pointer.
Page.charts = {
  height: 250,
  all: [],

  axis(options = {}) {
    return {
      stroke: Page.colour("--quiet"),
      grid: { stroke: Page.colour("--grid"), width: 1 },
      ticks: { stroke: Page.colour("--grid"), width: 1, size: 4 },
      font: "12px " + Page.colour("--font"),
      labelFont: "12px " + Page.colour("--font"),
      labelSize: 18,
      ...options,
    };
  },

  // A chart that follows the width of its place, and is drawn anew where light changes to dark.
  add(place, build, height = Page.charts.height) {
    const chart = { place, drawn: null };
    chart.draw = () => {
      if (chart.drawn) chart.drawn.destroy();
      const made = build(Math.max(220, place.clientWidth), height);
      chart.drawn = new uPlot(made.options, made.data, place);
    };
    chart.resize = () => {
      if (chart.drawn && place.clientWidth) chart.drawn.setSize({ width: Math.max(220, place.clientWidth), height });
      else if (place.clientWidth) chart.draw();
    };
    if (place.clientWidth) chart.draw();
    new ResizeObserver(chart.resize).observe(place);
    Page.charts.all.push(chart);
    return chart;
  },

  lines(chart, values, legend) {
    return (width, height) => ({
      data: [chart.places, ...chart.series.map((one) => one.values)],
      options: {
        width,
        height,
        legend: { show: false },
        cursor: { y: false, points: { size: 6 } },
        scales: {
          x: { time: chart.isTime, ...(Page.charts.hasPoints(chart) ? { range: Page.charts.widened } : {}) },
          y: {
            distr: chart.logarithmic ? 3 : 1,
            ...(chart.limits ? { range: chart.limits } : {}),
          },
        },
        axes: [
          Page.charts.axis({ label: chart.across, size: 34, ...(chart.isWhole ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] } : {}) }),
          Page.charts.axis({
            size: 58,
            ...(chart.logarithmic ? { values: (u, ticks) => ticks.map((tick) => (tick ? tick.toExponential(0) : "")) } : {}),
          }),
        ],
        series: [{}, ...chart.series.map(Page.charts.series)],
        hooks: {
          draw: [(u) => Page.charts.marks(u, chart.marks)],
          setCursor: [(u) => Page.charts.readings(u, legend, chart.names)],
        },
      },
    });
  },

  series(one) {
    const points = one.style === "points";
    const few = one.values.filter((value) => value !== null).length < 2;
    return {
      label: one.name,
      stroke: one.colour,
      width: points ? 0 : 2,
      dash: one.style === "dashed" ? [8, 5] : one.style === "dotted" ? [2, 4] : undefined,
      points: { show: points || few, size: 6, fill: one.colour },
      spanGaps: true,
    };
  },

  marks(u, marks) {
    const { left, top, width, height } = u.bbox;
    const context = u.ctx;
    context.save();
    context.strokeStyle = context.fillStyle = Page.colour("--quiet");
    context.font = `${11 * devicePixelRatio}px ${Page.colour("--font")}`;
    context.textAlign = "left";
    context.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const [place, text] of marks) {
      const x = u.valToPos(place, "x", true);
      if (x < left || x > left + width) continue;
      context.beginPath();
      context.moveTo(x, top);
      context.lineTo(x, top + height);
      context.stroke();
      context.fillText(text, x + 4 * devicePixelRatio, top + 12 * devicePixelRatio);
    }
    context.restore();
  },

  hasPoints(chart) {
    return chart.series.some((one) => one.style === "points");
  },

  // Points at the ends of an axis would be cut in half.
  widened(u, low, high) {
    const margin = (high - low || 86400) / 20;
    return [low - margin, high + margin];
  },

  readings(u, legend, names) {
    if (!legend) return;
    const place = u.cursor.idx;
    if (names && names.length) legend.title = legend.dataset.name = place === null || place === undefined ? "" : names[place];
    legend.querySelectorAll("li").forEach((item, number) => {
      let shown = item.querySelector(".reading");
      if (!shown) item.append((shown = Page.element("span", { class: "reading" })));
      const at = u.cursor.idx;
      const value = at === null || at === undefined ? null : u.data[number + 1][at];
      shown.textContent = value === null || value === undefined ? "" : Number(value.toPrecision(4)).toString();
    });
  },

  start() {
    for (const place of document.querySelectorAll("[data-chart]")) {
      const chart = Page.data.charts[Number(place.dataset.chart)];
      const legend = place.parentElement.querySelector(".legend");
      Page.charts.add(place, Page.charts.lines(chart, null, legend));
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
      Page.charts.all.forEach((chart) => chart.drawn && chart.draw()),
    );
  },
};

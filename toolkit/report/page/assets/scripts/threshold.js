"use strict";
// The sliders: one rule for each class, and what it scores on all out-of-fold images.
Page.live = {
  classes: [],
  chosen: 0,
  mode: "kept",
  listeners: [],

  start() {
    const data = Page.data.live.threshold;
    if (!data) return;
    Page.live.data = data;
    Page.live.classes = data.classes.map(Page.live.unpacked);
    Page.live.connect();
    Page.live.setRanges();
    Page.live.change();
  },

  unpacked(one) {
    const triplet = one.triplet && {
      bottoms: Page.array(one.triplet.bottoms).values,
      areas: Page.array(one.triplet.areas).values,
      tops: Page.array(one.triplet.tops).values,
      scores: Page.array(one.triplet.scores).values,
      totals: Page.array(one.triplet.totals),
      empty: Page.array(one.triplet.empty).values,
    };
    const found = {
      ...one,
      triplet,
      thresholds: Page.array(one.thresholds).values,
      levels: Page.array(one.levels).values,
      minimums: Page.array(one.minimums).values,
      scores: Page.array(one.scores).values,
      totals: Page.array(one.totals),
      empty: one.empty === null ? null : Page.array(one.empty).values,
    };
    const tuned = one.marks.find((mark) => mark.name === "tuned") || one.marks[0];
    found.at = { threshold: tuned.threshold, minimum: tuned.minimum };
    found.triplet_at = { bottom: 0, area: 0, top: 0 };
    if (triplet) {
      const place = (tuned.triplet || Page.live.bestTriplet(found));
      found.triplet_at = { bottom: place[0], area: place[1], top: place[2] };
    }
    return found;
  },

  get current() {
    return Page.live.classes[Page.live.chosen];
  },

  // Whether the sliders are those of a triplet: if it is chosen, or if the kept recipe is one.
  isTriplet(one) {
    const kept = one.marks.find((mark) => mark.name === "tuned");
    const wanted = Page.live.mode === "triplet" || (Page.live.mode === "kept" && kept && kept.triplet);
    return Boolean(wanted && one.triplet);
  },

  // The rule that the sliders say for a class: thresholds as lowest levels.
  rule(one) {
    if (Page.live.isTriplet(one)) {
      const { bottom, area, top } = one.triplet_at;
      return {
        mode: "triplet",
        level: Page.live.levelOf(one.triplet.bottoms[bottom]),
        topLevel: Page.live.levelOf(one.triplet.tops[top]),
        topArea: one.triplet.areas[area],
      };
    }
    return { mode: "simple", level: one.levels[one.at.threshold], minimum: one.minimums[one.at.minimum] };
  },

  // Thresholds lie in the middle between two levels.
  levelOf(threshold) {
    return Math.round(threshold * 255 - 0.5) + 1;
  },

  place(one) {
    if (Page.live.isTriplet(one)) {
      const { bottom, area, top } = one.triplet_at;
      return (bottom * one.triplet.areas.length + area) * one.triplet.tops.length + top;
    }
    return one.at.threshold * one.minimums.length + one.at.minimum;
  },

  source(one) {
    return Page.live.isTriplet(one) ? one.triplet : one;
  },

  scoreOf(one) {
    if (Page.live.mode === "kept") {
      const kept = Page.live.data.kept;
      return Page.live.classes.length === 1 ? kept.score : kept.by_class[one.name];
    }
    return Page.live.source(one).scores[Page.live.place(one)];
  },

  emptyOf(one) {
    if (Page.live.mode === "kept") return Page.live.data.kept.empty[one.index];
    const source = Page.live.source(one);
    return source.empty ? source.empty[Page.live.place(one)] : null;
  },

  scoreOfAll() {
    const { together, kept } = Page.live.data;
    if (Page.live.mode === "kept") return kept.score;
    const counted = Page.live.classes.filter((one) => one.counts);
    if (together === "mean") return counted.reduce((sum, one) => sum + Page.live.scoreOf(one), 0) / counted.length;
    if (together !== "sums") return null;
    let sum = 0;
    let count = 0;
    for (const one of counted) {
      const { values } = Page.live.source(one).totals;
      sum += values[2 * Page.live.place(one)];
      count += values[2 * Page.live.place(one) + 1];
    }
    return count ? sum / count : null;
  },

  bestTriplet(one) {
    const { scores, areas, tops } = one.triplet;
    const best = Page.live.bestOf(scores);
    return [Math.floor(best / (areas.length * tops.length)), Math.floor(best / tops.length) % areas.length, best % tops.length];
  },

  bestOf(scores) {
    let best = 0;
    for (let at = 1; at < scores.length; at++) {
      if (Number.isNaN(scores[best]) || Page.better(scores[at], scores[best])) best = at;
    }
    return best;
  },

  slider(name) {
    const label = document.getElementById(`slider-${name}`);
    return { label, input: label.querySelector("input"), output: label.querySelector("output"), name: label.querySelector(".name") };
  },

  setRanges() {
    const one = Page.live.current;
    const set = (name, count, value) => {
      const { input } = Page.live.slider(name);
      input.max = count - 1;
      input.value = value;
    };
    const triplet = Page.live.isTriplet(one);
    set("threshold", triplet ? one.triplet.bottoms.length : one.thresholds.length, triplet ? one.triplet_at.bottom : one.at.threshold);
    set("minimum", one.minimums.length, one.at.minimum);
    if (one.triplet) {
      set("top", one.triplet.tops.length, one.triplet_at.top);
      set("top-area", one.triplet.areas.length, one.triplet_at.area);
    }
    Page.live.slider("minimum").name.textContent = one.minimum === "minimum_area" ? "minimum area, pixels" : "minimum object size, pixels";
    document.querySelector(".triplet-mode").hidden = !one.triplet;
    Page.live.slider("minimum").label.hidden = Boolean(triplet);
    Page.live.slider("top").label.hidden = Page.live.slider("top-area").label.hidden = !triplet;
    Page.live.slider("threshold").name.textContent = triplet ? "bottom threshold" : "threshold";
  },

  connect() {
    const on = (name, change) =>
      Page.live.slider(name).input.addEventListener("input", (event) => {
        if (Page.live.mode === "kept") Page.live.setMode(Page.live.isTriplet(Page.live.current) ? "triplet" : "simple", false);
        change(Page.live.current, Number(event.target.value));
        Page.live.change();
      });
    on("threshold", (one, value) => {
      if (Page.live.isTriplet(one)) one.triplet_at.bottom = value;
      else one.at.threshold = value;
    });
    on("minimum", (one, value) => (one.at.minimum = value));
    on("top", (one, value) => (one.triplet_at.top = value));
    on("top-area", (one, value) => (one.triplet_at.area = value));
    document.querySelectorAll("[name=live-mode]").forEach((radio) =>
      radio.addEventListener("change", () => {
        Page.live.setMode(radio.value);
        Page.live.change();
      }),
    );
    document.querySelectorAll("[data-preset]").forEach((button) =>
      button.addEventListener("click", () => Page.live.preset(button.dataset.preset)),
    );
    const tuned = Page.live.classes[0].marks.some((mark) => mark.name === "tuned");
    document.querySelector("[data-preset=tuned]").hidden = !tuned;
    const select = document.getElementById("live-class");
    if (select) select.addEventListener("change", () => Page.live.setClass(Number(select.value)));
  },

  setMode(mode, anew = true) {
    Page.live.mode = mode;
    document.querySelector(`[name=live-mode][value=${mode}]`).checked = true;
    if (anew) Page.live.setRanges();
  },

  setClass(place) {
    Page.live.chosen = place;
    const select = document.getElementById("live-class");
    if (select) select.value = place;
    Page.live.setRanges();
    Page.live.change();
  },

  preset(name) {
    const one = Page.live.current;
    if (name === "best") {
      if (Page.live.mode === "kept") Page.live.setMode(Page.live.isTriplet(one) ? "triplet" : "simple");
      if (Page.live.mode === "triplet") {
        const [bottom, area, top] = Page.live.bestTriplet(one);
        one.triplet_at = { bottom, area, top };
      } else {
        const best = Page.live.bestOf(one.scores);
        one.at = { threshold: Math.floor(best / one.minimums.length), minimum: best % one.minimums.length };
      }
    } else {
      const mark = one.marks.find((each) => each.name === name);
      if (mark.triplet) {
        const [bottom, area, top] = mark.triplet;
        one.triplet_at = { bottom, area, top };
      } else one.at = { threshold: mark.threshold, minimum: mark.minimum };
      Page.live.setMode(mark.triplet ? "triplet" : "simple");
    }
    Page.live.setRanges();
    Page.live.change();
  },

  describe(one) {
    if (Page.live.mode === "kept") {
      return Page.live.classes.length > 1 ? `kept recipe, ${one.name}: ${one.kept}` : `kept recipe: ${Page.live.data.recipe}`;
    }
    const rule = Page.live.rule(one);
    const shown = (level) => ((level - 0.5) / 255).toFixed(3);
    if (rule.mode === "triplet") {
      return `threshold ${shown(rule.level)}, at least ${rule.topArea} pixels above ${shown(rule.topLevel)}`;
    }
    const what = one.minimum === "minimum_area" ? "minimum area" : "minimum object size";
    return `threshold ${one.thresholds[one.at.threshold].toFixed(3)}, ${what} ${rule.minimum}`;
  },

  change() {
    const one = Page.live.current;
    const show = (id, text, value) => {
      const place = document.getElementById(id);
      place.textContent = text;
      place.dataset.value = value === null || value === undefined ? "" : String(value);
    };
    const triplet = Page.live.isTriplet(one);
    const threshold = triplet ? one.triplet.bottoms[one.triplet_at.bottom] : one.thresholds[one.at.threshold];
    Page.live.slider("threshold").output.textContent = threshold.toFixed(3);
    Page.live.slider("minimum").output.textContent = one.minimums[one.at.minimum];
    if (one.triplet) {
      Page.live.slider("top").output.textContent = one.triplet.tops[one.triplet_at.top].toFixed(3);
      Page.live.slider("top-area").output.textContent = one.triplet.areas[one.triplet_at.area];
    }
    const score = Page.live.scoreOf(one);
    show("live-score", Page.score(score), score);
    document.getElementById("live-class-label").textContent =
      Page.live.classes.length > 1 ? `${Page.live.data.metric} of ${one.name}` : Page.live.data.metric;
    document.getElementById("live-empty-label").textContent =
      Page.live.classes.length > 1 ? `images without ${one.name}` : "empty masks";
    document.querySelector(".all-classes").hidden = Page.live.classes.length === 1;
    const all = Page.live.scoreOfAll();
    show("live-all", Page.score(all), all);
    const empty = Page.live.emptyOf(one);
    const total = Page.live.data.images;
    show("live-empty", empty === null || empty === undefined ? "–" : `${((100 * empty) / total).toFixed(1)} % (${empty} of ${total})`, empty);
    document.getElementById("live-recipe").textContent = Page.live.describe(one);
    for (const listener of Page.live.listeners) listener();
  },
};

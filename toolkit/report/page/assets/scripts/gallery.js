"use strict";
// The images: each shows itself, its truth, its probability, the mask of the sliders, and where that is wrong.
Page.gallery = {
  layers: ["image", "truth", "probability", "mask", "errors"],
  atOnce: 16,
  shown: 16,
  cards: new Map(),

  start() {
    const data = Page.data.live.gallery;
    if (!data) return;
    Page.gallery.data = data;
    Page.gallery.list = document.getElementById("gallery");
    for (const id of ["gallery-group", "gallery-fold", "gallery-truth", "gallery-order"]) {
      document.getElementById(id).addEventListener("change", Page.gallery.fill);
    }
    const select = document.getElementById("gallery-class");
    if (select) select.addEventListener("change", () => Page.gallery.setClass(Number(select.value)));
    document.getElementById("gallery-more").addEventListener("click", () => {
      Page.gallery.shown += Page.gallery.atOnce;
      Page.gallery.fill();
    });
    Page.gallery.seen = new IntersectionObserver(
      (entries) => entries.forEach((entry) => entry.isIntersecting && Page.gallery.draw(entry.target.image)),
      { rootMargin: "300px" },
    );
    Page.live.listeners.push(Page.gallery.follow);
    Page.gallery.fill();
    Page.gallery.follow();
  },

  // The class of the sliders is the class of the images.
  get chosen() {
    const select = document.getElementById("gallery-class");
    return select ? Number(select.value) : Page.gallery.data.classes[0].index;
  },

  get curve() {
    return Page.live.classes.find((one) => one.index === Page.gallery.chosen);
  },

  setClass(index) {
    const place = Page.live.classes.findIndex((one) => one.index === index);
    if (place >= 0 && place !== Page.live.chosen) Page.live.setClass(place);
    else Page.gallery.follow();
    Page.gallery.fill();
  },

  get several() {
    return Page.gallery.data.classes.length > 1;
  },

  get className() {
    return Page.gallery.data.classes.find((one) => one.index === Page.gallery.chosen).name;
  },

  // What is shown of an image: the score of the class with the kept recipe, or with the sliders.
  score(image) {
    const planes = image.planes[Page.gallery.chosen];
    if (Page.live.mode === "kept" || !Page.gallery.curve) return Page.gallery.several ? planes.kept : image.kept;
    if (!planes || !planes.curve) return null;
    const curve = Page.gallery.unpackedCurve(planes);
    const one = Page.gallery.curve;
    const rule = Page.live.rule(one);
    if (curve.scores.shape.length === 2) return curve.scores.values[Page.live.place(one)];
    const level = rule.level - 1;
    const area = rule.mode === "triplet" ? curve.sizes.values[rule.topLevel - 1] : curve.sizes.values[level];
    const least = rule.mode === "triplet" ? rule.topArea : rule.minimum;
    return area < least ? curve.emptied : curve.scores.values[level];
  },

  unpackedCurve(planes) {
    planes.unpacked ||= { scores: Page.array(planes.curve.scores), sizes: Page.array(planes.curve.sizes), emptied: planes.curve.emptied };
    return planes.unpacked;
  },

  // The images that the filters leave, in the chosen order.
  filtered() {
    const value = (id) => document.getElementById(id).value;
    const [group, fold, truth, order] = ["gallery-group", "gallery-fold", "gallery-truth", "gallery-order"].map(value);
    const index = Page.gallery.chosen;
    const several = Page.gallery.several;
    const area = (image) => (several ? image.planes[index].area : image.trueArea);
    const found = Page.gallery.data.images.filter((image) => {
      const isEmpty = area(image) === 0;
      return (
        (!group || image.groups.includes(group)) &&
        (group !== "label" || image.planes[index].doubt > 0) &&
        (!fold || image.fold === Number(fold)) &&
        (!truth || (truth === "empty") === isEmpty)
      );
    });
    const number = (value) => (value === null || value === undefined || Number.isNaN(value) ? Infinity : value);
    const sign = Page.data.live.gallery.direction === "min" ? -1 : 1;
    const keys = {
      worst: (image) => sign * number(Page.gallery.score(image)),
      best: (image) => -sign * number(Page.gallery.score(image)),
      large: (image) => -area(image),
      small: area,
      doubt: (image) => -image.planes[index].doubt,
      fold: (image) => image.fold,
      differs: (image) => -Math.abs(number(image.other) - number(image.untuned)),
    };
    return found.map((image) => [keys[order](image), image]).sort((one, other) => one[0] - other[0]).map((pair) => pair[1]);
  },

  fill() {
    const images = Page.gallery.filtered();
    const shown = images.slice(0, Page.gallery.shown);
    Page.gallery.order = images;
    Page.gallery.list.replaceChildren(...shown.map(Page.gallery.card));
    document.getElementById("gallery-more").hidden = images.length <= shown.length;
    document.getElementById("gallery-count").textContent = images.length === 1 ? "1 image" : `${images.length} images`;
    shown.forEach(Page.gallery.caption);
  },

  card(image) {
    if (Page.gallery.cards.has(image)) return Page.gallery.cards.get(image).item;
    const item = Page.element("li", { class: "card" });
    const button = Page.element("button", { type: "button", class: "tiles", "aria-label": `Enlarge ${image.id}` });
    const canvases = {};
    for (const layer of Page.gallery.layers) {
      const tile = Page.element("span", { class: `tile ${layer}` });
      canvases[layer] = Page.element("canvas", { "data-layer": layer });
      canvases[layer].width = image.shown[1];
      canvases[layer].height = image.shown[0];
      tile.append(canvases[layer], Page.element("span", { class: "tile-name" }, layer));
      button.append(tile);
    }
    const caption = Page.element("p", { class: "caption" });
    const name = Page.element("bdi", { class: "id", title: image.id }, image.id);
    const facts = Page.element("span", { class: "quiet" });
    const score = Page.element("span", { class: "score" });
    caption.append(name, " ", score, " ", facts);
    item.append(caption, button);
    item.image = image;
    button.addEventListener("click", () => Page.viewer.open(image));
    Page.gallery.cards.set(image, { item, canvases, facts, score });
    Page.gallery.seen.observe(item);
    return item;
  },

  caption(image) {
    const card = Page.gallery.cards.get(image);
    if (!card) return;
    const score = Page.gallery.score(image);
    card.score.textContent = Page.score(score);
    card.score.dataset.value = score === null || score === undefined ? "" : String(score);
    card.facts.textContent = Page.gallery.facts(image);
  },

  // What is told of an image beside its score.
  facts(image) {
    const score = Page.gallery.score(image);
    const other = Page.gallery.data.comparedWith && image.other !== null ? `${Page.gallery.data.comparedWith} ${Page.score(image.other)}${Page.gallery.several ? " (all classes)" : ""}` : "";
    const { several, className } = Page.gallery;
    const planes = image.planes[Page.gallery.chosen];
    const untuned = several ? planes.untuned : image.untuned;
    const facts = [
      several ? `${Page.gallery.data.metric} of ${className}` : Page.gallery.data.metric,
      untuned === score ? "" : `untuned ${Page.score(untuned)}`,
      several && Page.live.mode === "kept" ? `all classes ${Page.score(image.kept)}` : "",
      other,
      `fold ${image.fold}`,
      `${image.size[0]}×${image.size[1]}`,
      `true area ${several ? planes.area : image.trueArea} pixels`,
      Page.gallery.doubt(image),
    ];
    return facts.filter(Boolean).join(", ");
  },

  // The classes whose label is in doubt, the most doubtful first, with the share of the pixels of the image.
  doubt(image) {
    if (!image.groups.includes("label")) return "";
    const share = (value) => `${value < 0.001 ? "< 0.1" : (100 * value).toFixed(1)} %`;
    const classes = Page.gallery.data.classes
      .map((one) => [one.name, image.planes[one.index].doubt])
      .filter((pair) => pair[1] > 0)
      .sort((one, another) => another[1] - one[1]);
    if (!Page.gallery.several) return `label in doubt: ${share(classes[0][1])} of the pixels`;
    const more = classes.length > 3 ? `, and ${classes.length - 3} more` : "";
    return `label in doubt: ${classes.slice(0, 3).map(([name, value]) => `${name} ${share(value)}`).join(", ")}${more}`;
  },

  follow() {
    const one = Page.live.current;
    const select = document.getElementById("gallery-class");
    if (one && select && Number(select.value) !== one.index && Page.gallery.lastClass !== one.index) {
      select.value = one.index;
      Page.gallery.fill();
    }
    Page.gallery.lastClass = one ? one.index : null;
    if (one) document.getElementById("gallery-recipe").textContent = Page.live.describe(one);
    for (const [image, card] of Page.gallery.cards) {
      Page.gallery.caption(image);
      const box = card.item.getBoundingClientRect();
      card.stale = true;
      if (card.item.isConnected && box.bottom > -300 && box.top < innerHeight + 300) Page.gallery.draw(image);
      else Page.gallery.watchAgain(card.item);
    }
    if (Page.viewer.image) Page.viewer.draw();
  },

  watchAgain(item) {
    Page.gallery.seen.unobserve(item);
    Page.gallery.seen.observe(item);
  },

  async load(address) {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    const canvas = document.createElement("canvas");
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  },

  // The picture and the maps of an image for the chosen class, read once.
  async maps(image) {
    const index = Page.gallery.chosen;
    image.read ||= {};
    image.pixels ||= Page.gallery.load(image.picture);
    image.read[index] ||= Page.gallery.read(image.planes[index]);
    return { ...(await image.read[index]), picture: await image.pixels };
  },

  async read(planes) {
    const pixels = await Page.gallery.load(planes.maps);
    const size = pixels.width * pixels.height;
    const plane = (channel) => Uint8Array.from({ length: size }, (_, at) => pixels.data[4 * at + channel]);
    const kept = plane(2).map((value) => (value > 127 ? 1 : 0));
    const other = planes.other ? await Page.gallery.load(planes.other) : null;
    return {
      width: pixels.width,
      height: pixels.height,
      levels: plane(0),
      truth: plane(1),
      kept,
      other: other ? Uint8Array.from({ length: size }, (_, at) => (other.data[4 * at] > 127 ? 1 : 0)) : null,
    };
  },

  mask(image, maps) {
    const one = Page.gallery.curve;
    if (Page.live.mode === "kept" || !one) return maps.kept;
    const planes = image.planes[Page.gallery.chosen];
    const reduced = image.shown[0] !== image.size[0] || image.shown[1] !== image.size[1];
    const sizes = reduced && planes.curve ? Page.gallery.unpackedCurve(planes).sizes : null;
    return Page.masks.of(maps, Page.live.rule(one), one, sizes);
  },

  async draw(image) {
    const card = Page.gallery.cards.get(image);
    card.stale = false;
    const maps = await Page.gallery.maps(image);
    const mask = Page.gallery.mask(image, maps);
    for (const [layer, canvas] of Object.entries(card.canvases)) Page.gallery.paint(canvas, layer, maps, mask);
    card.item.dataset.area = Page.masks.count(mask);
  },

  // One layer of an image: true and false positives and false negatives have the colours of all pictures.
  paint(canvas, layer, maps, mask) {
    const { width, height, picture, levels, truth } = maps;
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(width, height);
    const colours = Page.data.colours;
    const shown = layer === "other" ? maps.other : mask;
    for (let at = 0; at < width * height; at++) {
      let colour = [picture.data[4 * at], picture.data[4 * at + 1], picture.data[4 * at + 2]];
      const isTrue = truth[at] === 255;
      if (layer === "probability") colour = Page.surface.colour(levels[at] / 255);
      else if (layer === "truth") colour = isTrue ? Page.gallery.tinted(colour, colours.truth, 0.55) : colour;
      else if (layer === "mask" || layer === "other") colour = shown[at] ? Page.gallery.tinted(colour, colours.mask, 0.55) : colour;
      else if (layer === "errors") {
        const grey = 0.55 * (colour[0] + colour[1] + colour[2]) / 3;
        colour = [grey, grey, grey];
        const kind = mask[at] ? (isTrue ? "true-positive" : "false-positive") : isTrue ? "false-negative" : "";
        if (kind && truth[at] !== 127) colour = Page.gallery.tinted(colour, colours[kind], kind === "true-positive" ? 0.45 : 0.9);
      }
      if (truth[at] === 127 && layer !== "image" && layer !== "probability") colour = Page.gallery.tinted(colour, colours.ignored, 0.75);
      pixels.data.set([...colour, 255], 4 * at);
    }
    context.putImageData(pixels, 0, 0);
  },

  tinted(colour, other, strength) {
    return colour.map((value, at) => value * (1 - strength) + other[at] * strength);
  },
};

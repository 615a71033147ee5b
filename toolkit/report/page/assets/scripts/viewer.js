"use strict";
// One image enlarged beside one of its layers, with zoom, and a blink between truth and mask.
Page.viewer = {
  image: null,
  zoom: 1,
  blinking: null,
  stages: ["viewer-image-stage", "viewer-stage"],

  start() {
    const dialog = document.getElementById("viewer");
    if (!dialog) return;
    Page.viewer.dialog = dialog;
    const press = (id, action) => document.getElementById(id).addEventListener("click", action);
    press("viewer-close", () => dialog.close());
    press("viewer-blink", Page.viewer.blink);
    press("viewer-in", () => Page.viewer.setZoom(Page.viewer.zoom * 1.5));
    press("viewer-out", () => Page.viewer.setZoom(Page.viewer.zoom / 1.5));
    press("viewer-previous", () => Page.viewer.step(-1));
    press("viewer-next", () => Page.viewer.step(1));
    dialog.addEventListener("close", Page.viewer.closed);
    dialog.addEventListener("keydown", Page.viewer.key);
    document.querySelectorAll("[name=viewer-layer]").forEach((radio) => radio.addEventListener("change", Page.viewer.draw));
    document.querySelector(".other-layer").hidden = !(Page.data.live.gallery && Page.data.live.gallery.comparedWith);
    const stages = Page.viewer.stages.map((id) => document.getElementById(id));
    stages.forEach((stage, at) =>
      stage.addEventListener("scroll", () => {
        const other = stages[1 - at];
        if (other.scrollLeft !== stage.scrollLeft) other.scrollLeft = stage.scrollLeft;
        if (other.scrollTop !== stage.scrollTop) other.scrollTop = stage.scrollTop;
      }),
    );
    addEventListener("resize", () => Page.viewer.image && Page.viewer.setZoom(Page.viewer.zoom));
  },

  open(image) {
    Page.viewer.image = image;
    Page.viewer.zoom = 1;
    document.getElementById("viewer-title").replaceChildren(
      Page.element("bdi", { class: "id" }, image.id),
      Page.element("span", { class: "quiet" }, ` ${Page.score(Page.gallery.score(image))} ${Page.gallery.facts(image)}`),
    );
    if (!Page.viewer.dialog.open) Page.viewer.dialog.showModal();
    Page.viewer.draw();
  },

  closed() {
    Page.viewer.image = null;
    if (Page.viewer.blinking) Page.viewer.blink();
  },

  get layer() {
    return document.querySelector("[name=viewer-layer]:checked").value;
  },

  setLayer(name) {
    document.querySelector(`[name=viewer-layer][value=${name}]`).checked = true;
  },

  async draw() {
    const image = Page.viewer.image;
    if (!image) return;
    const maps = await Page.gallery.maps(image);
    if (image !== Page.viewer.image) return;
    const canvas = document.getElementById("viewer-canvas");
    Page.gallery.paint(canvas, Page.viewer.layer, maps, Page.gallery.mask(image, maps));
    canvas.dataset.layer = Page.viewer.layer;
    Page.gallery.paint(document.getElementById("viewer-image"), "image", maps, null);
    document.getElementById("viewer-image-stage").hidden = Page.viewer.layer === "image";
    for (const item of document.querySelectorAll("#viewer-legend li")) {
      item.hidden = !item.dataset.layers.split(" ").includes(Page.viewer.layer);
    }
    Page.viewer.setZoom(Page.viewer.zoom);
  },

  // At zoom 1 the image fills the stage.
  setZoom(zoom) {
    Page.viewer.zoom = Math.max(1, Math.min(24, zoom));
    const canvas = document.getElementById("viewer-canvas");
    const stage = document.getElementById("viewer-stage");
    const fit = Math.min(stage.clientWidth / canvas.width, stage.clientHeight / canvas.height);
    for (const one of [canvas, document.getElementById("viewer-image")]) {
      one.style.width = `${canvas.width * fit * Page.viewer.zoom}px`;
      one.style.height = `${canvas.height * fit * Page.viewer.zoom}px`;
    }
  },

  blink() {
    const button = document.getElementById("viewer-blink");
    if (Page.viewer.blinking) {
      clearInterval(Page.viewer.blinking);
      Page.viewer.blinking = null;
    } else {
      const other = () => {
        Page.viewer.setLayer(Page.viewer.layer === "truth" ? "mask" : "truth");
        Page.viewer.draw();
      };
      other();
      Page.viewer.blinking = setInterval(other, 700);
    }
    button.setAttribute("aria-pressed", String(Boolean(Page.viewer.blinking)));
  },

  step(by) {
    const order = Page.gallery.order;
    const at = order.indexOf(Page.viewer.image);
    Page.viewer.open(order[(at + by + order.length) % order.length]);
  },

  key(event) {
    if (event.target.type === "radio" && event.key.startsWith("Arrow")) return;
    const actions = {
      ArrowLeft: () => Page.viewer.step(-1),
      ArrowRight: () => Page.viewer.step(1),
      "+": () => Page.viewer.setZoom(Page.viewer.zoom * 1.5),
      "-": () => Page.viewer.setZoom(Page.viewer.zoom / 1.5),
      b: Page.viewer.blink,
    };
    if (actions[event.key]) {
      event.preventDefault();
      actions[event.key]();
    }
  },
};

"use strict";
// The order in which the parts of the page come to life.
Page.live.start();
Page.surface.start();
Page.viewer.start();
Page.gallery.start();
Page.charts.start();
// A table that is wider than its place says so in its title.
const tables = new ResizeObserver((entries) =>
  entries.forEach(({ target }) => target.closest("figure").classList.toggle("wide", target.scrollWidth > target.clientWidth + 1)),
);
document.querySelectorAll(".scroll").forEach((one) => tables.observe(one));
for (const folded of document.querySelectorAll("details")) {
  addEventListener("beforeprint", () => (folded.open = folded.open || !folded.querySelector("pre")));
}
document.documentElement.dataset.ready = "yes";

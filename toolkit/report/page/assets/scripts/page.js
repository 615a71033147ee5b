"use strict";
// The order in which the parts of the page come to life.
Page.live.start();
Page.surface.start();
Page.viewer.start();
Page.gallery.start();
Page.charts.start();
for (const folded of document.querySelectorAll("details")) {
  addEventListener("beforeprint", () => (folded.open = folded.open || !folded.querySelector("pre")));
}
document.documentElement.dataset.ready = "yes";

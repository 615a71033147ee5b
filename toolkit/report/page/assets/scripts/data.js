"use strict";
// What the page carries, and how arrays are read from it.
const Page = {
  data: JSON.parse(document.getElementById("page-data").textContent),

  // An array of the page: its values in one row, and its shape.
  array(packed) {
    if (packed === null) return null;
    const text = atob(packed.bytes);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
    const Kind = packed.type === "f8" ? Float64Array : Int32Array;
    return { values: new Kind(bytes.buffer), shape: packed.shape };
  },

  score(value) {
    return value === null || value === undefined || Number.isNaN(value) ? "–" : value.toFixed(4);
  },

  colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  },

  // Text that comes from data is always set as text, never as markup.
  element(tag, attributes = {}, text = "") {
    const found = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
    if (text !== "") found.textContent = text;
    return found;
  },

  better(one, other) {
    const live = Page.data.live.threshold || Page.data.live.gallery;
    return live && live.direction === "min" ? one < other : one > other;
  },
};

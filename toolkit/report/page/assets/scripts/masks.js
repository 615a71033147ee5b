"use strict";
// Masks from levels 0–255, as the toolkit makes them: whole numbers are compared, nothing is rounded.
Page.masks = {
  above(levels, lowest) {
    const mask = new Uint8Array(levels.length);
    for (let at = 0; at < levels.length; at++) mask[at] = levels[at] >= lowest ? 1 : 0;
    return mask;
  },

  count(mask) {
    let found = 0;
    for (let at = 0; at < mask.length; at++) found += mask[at];
    return found;
  },

  // The mask without objects of fewer pixels; pixels that touch at a corner belong together.
  withoutSmall(mask, width, height, least) {
    if (least <= 1) return mask;
    const kept = new Uint8Array(mask.length);
    const seen = new Uint8Array(mask.length);
    for (let start = 0; start < mask.length; start++) {
      if (!mask[start] || seen[start]) continue;
      const object = [start];
      seen[start] = 1;
      for (let next = 0; next < object.length; next++) {
        const x = object[next] % width;
        const y = (object[next] - x) / width;
        for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
          for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
            const at = row * width + column;
            if (mask[at] && !seen[at]) {
              seen[at] = 1;
              object.push(at);
            }
          }
        }
      }
      if (object.length >= least) for (const at of object) kept[at] = 1;
    }
    return kept;
  },

  // The mask of the sliders. `sizes` are the areas at the size that is scored, if that is another.
  of(maps, rule, curve, sizes) {
    const area = (level) => (sizes ? sizes.values[level - 1] : Page.masks.count(Page.masks.above(maps.levels, level)));
    const mask = Page.masks.above(maps.levels, rule.level);
    const nothing = () => new Uint8Array(mask.length);
    if (rule.mode === "triplet") return area(rule.topLevel) >= rule.topArea ? mask : nothing();
    if (curve.minimum === "minimum_object_size") {
      return Page.masks.withoutSmall(mask, maps.width, maps.height, rule.minimum);
    }
    return area(rule.level) >= rule.minimum ? mask : nothing();
  },
};

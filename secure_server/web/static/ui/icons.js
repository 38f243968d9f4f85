// @ts-check
/** Small pictures, drawn in the colour of the text around them. */

import { svg } from "./dom.js";

/** @type {Record<string, string>} paths within 24 × 24, as strokes */
const PATHS = {
  commands: "M4 6h16M4 12h16M4 18h10",
  line: "M5 7l5 5-5 5M13 17h6",
  jobs: "M12 7v5l3 2M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z",
  clients: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-6 7-6s7 2 7 6M16 4a4 4 0 0 1 0 7M18 15c3 .6 4 3 4 6",
  token: "M15 9a5 5 0 1 0-4 5l2 2h3v3h3v-4l-5-4z",
  shield: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6z",
  certificate: "M4 4h16v12H4zM8 8h8M8 12h5M14 14v7l2-1.500 2 1.500v-7",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5",
  chart: "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
  horn: "M4 10v4h4l8 5V5l-8 5zM19 9a4 4 0 0 1 0 6",
  ban: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18zM6 6l12 12",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l2 1H4zM10 21h4",
  menu: "M4 7h16M4 12h16M4 17h16",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 13l4 4L19 7",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  play: "M7 5l12 7-12 7z",
  stop: "M6 6h12v12H6z",
  again: "M4 12a8 8 0 1 1 2.500 5.800M4 20v-5h5",
  sort: "M8 10l4-4 4 4M8 14l4 4 4-4",
  down: "M6 9l6 6 6-6",
  right: "M9 6l6 6-6 6",
  back: "M15 6l-6 6 6 6",
  warning: "M12 4l9 16H3zM12 10v4M12 17h.01",
  eye: "M2 12c3-5 6-7 10-7s7 2 10 7c-3 5-6 7-10 7s-7-2-10-7zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500L19 19M5 19l1.500-1.500M17.500 6.500L19 5",
  moon: "M20 14a8 8 0 0 1-10-10 8 8 0 1 0 10 10z",
  auto: "M12 21a9 9 0 1 1 0-18zM12 3a9 9 0 0 1 0 18z",
  leave: "M14 4h5v16h-5M4 12h10M10 8l4 4-4 4",
  plus: "M12 5v14M5 12h14",
  file: "M6 3h8l5 5v13H6zM14 3v5h5",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 4-6 8-6s8 2 8 6",
};

/** A picture by its name; it says nothing to screen readers, so a button without words needs `aria-label`. @param {string} name */
export function icon(name) {
  const path = svg("path", { d: PATHS[name] ?? PATHS.more });
  return svg("svg", { class: `icon icon-${name}`, viewBox: "0 0 24 24", "aria-hidden": "true" }, path);
}

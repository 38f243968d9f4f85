// @ts-check
/** Light or dark: as the system has it, or as chosen here. */

const KEPT = "secure-command.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
let chosen = "auto";
try {
  chosen = localStorage.getItem(KEPT) ?? chosen;
} catch {} // where nothing may be kept, the system's holds

/** What was chosen: `auto`, `light` or `dark`. */
export function theme() {
  return chosen;
}

/** Choose, and keep the choice. @param {string} name */
export function dress(name) {
  chosen = name;
  try {
    localStorage.setItem(KEPT, name);
  } catch {}
  apply();
}

function apply() {
  const is = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
  document.documentElement.dataset.theme = is;
}

dark.addEventListener("change", apply);
apply();

// @ts-check
/** Language and theme. */

import { h } from "./dom.js";
import { dress, theme } from "./theme.js";
import { LANGUAGES, language, speak, t } from "./words.js";

/**
 * @param {any} client
 * @param {() => void} again draws the page anew
 */
export function preferences(client, again) {
  const names = { auto: t("System"), light: t("Light"), dark: t("Dark") };
  const tongue = choice(t("Language"), LANGUAGES, language(), (tag) => {
    speak(/** @type {"en"} */ (tag));
    client.speak?.(tag.replace("-", "_"));
    again();
  });
  return h("div", { class: "preferences" }, tongue, choice(t("Appearance"), names, theme(), dress));
}

/** @param {string} label @param {Record<string, string>} options @param {string} value @param {(value: string) => void} chosen */
function choice(label, options, value, chosen) {
  const list = Object.entries(options).map(([key, name]) => h("option", { value: key, selected: key === value }, name));
  const field = h("select", { onchange: () => chosen(field.value) }, list);
  return h("label", { class: "field" }, h("span", { class: "small muted" }, label), field);
}

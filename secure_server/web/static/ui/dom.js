// @ts-check
/** Elements from plain calls: text becomes text nodes, so nothing that a server sends is ever markup. */

/**
 * @typedef {Node | string | number | bigint | false | null | undefined} Leaf
 * @typedef {Leaf | readonly any[]} Child
 */

/**
 * Make an element: `h("button", {class: "primary", onclick: save}, icon("check"), t("Save"))`.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown> | null} [attributes] functions named `on…` become listeners; true has no value; false,
 *     null and undefined leave one out; `value`, `checked` and their like are set as properties
 * @param {...Child} children null, false and undefined are passed over, lists are taken apart
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes, ...children) {
  return /** @type {any} */ (made(document.createElement(tag), attributes, children));
}

/** The same for SVG. @param {string} tag @param {Record<string, unknown> | null} [attributes] @param {...Child} children */
export function svg(tag, attributes, ...children) {
  return made(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** Put other children into a node. @param {Element} node @param {...Child} children */
export function replace(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

/** @param {Child[]} children @returns {Node[]} */
function nodes(children) {
  return /** @type {Node[]} */ (
    children
      .flat(9)
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))))
  );
}

const PROPERTIES = new Set(["value", "checked", "selected", "disabled", "hidden", "open"]);
let numbers = 0;

/** A new id, for labels and what they are of. @param {string} [word] */
export function id(word = "x") {
  numbers += 1;
  return `${word}-${numbers}`;
}

/** @param {Element} element @param {Record<string, unknown> | null | undefined} attributes @param {Child[]} children */
function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(name.slice(2), /** @type {any} */ (value));
    else if (value === null || value === undefined || value === false) continue;
    else if (PROPERTIES.has(name) && name in element) /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

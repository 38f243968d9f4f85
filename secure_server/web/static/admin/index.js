// @ts-check
/** What administrators see. */

/** @param {typeof import("../ui/router.js").route} _route */
export function register(_route) {}

/** @param {any} _client @returns {import("../ui/shell.js").Link[]} */
export function links(_client) {
  return [];
}

// @ts-check
/** The page's words in Brazilian Portuguese. @type {Record<string, string>} */
export const PT_BR = {};

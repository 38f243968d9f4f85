// Whether a text can be a token, told before anything is sent; docs/protocol.md, "Authentication".

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * The token in a pasted text; null where it is none, was mistyped or cut.
 * @param {string} text
 */
export function tokenOf(text) {
  const [token, body, crc] = /^(scs_[0-9A-Za-z]{10}_[0-9A-Za-z]{43})_([0-9A-Za-z]{6})$/.exec(text.trim()) ?? [];
  if (!token || !body) return null;
  let sum = -1; // CRC-32 as in zlib
  for (const letter of body) {
    sum ^= letter.charCodeAt(0);
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  let rest = ~sum >>> 0;
  let digits = "";
  for (; digits.length < 6; rest = Math.floor(rest / 62)) digits = DIGITS[rest % 62] + digits;
  return digits === crc ? token : null;
}

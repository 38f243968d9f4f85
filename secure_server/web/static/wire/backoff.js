// How long to wait between tries to connect: exponential, with full jitter, as secure_client does.

const BASE = 250; // milliseconds, the bound of the first wait
const CAP = 30_000; // and the longest

export class Backoff {
  #bound = BASE;
  #random;

  /** @param {() => number} random from 0 to 1 */
  constructor(random) {
    this.#random = random;
  }

  /** The milliseconds to wait now; the next bound is twice as long. */
  next() {
    const wait = this.#random() * this.#bound;
    this.#bound = Math.min(CAP, this.#bound * 2);
    return wait;
  }

  /** Begin again, after a connection that lasted. */
  reset() {
    this.#bound = BASE;
  }
}

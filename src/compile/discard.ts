/**
 * Gives the memory of arrays on the JavaScript heap back at once. The garbage collector would do it too, but it is not
 * called upon while memory of another kind grows, as it does while weights are packed: both would be held in full.
 *
 * QUIRK: Node 20 has no `ArrayBuffer.prototype.transfer`. A buffer that is posted to a closed port is detached like any
 * that is posted, and what nobody can receive is freed there and then.
 */
import { MessageChannel } from "node:worker_threads";

const WORTH_BYTES = 65536; // less is left to the garbage collector

/** Empties heap arrays; they have length 0 afterwards, unless they are small. Shared memory is left as it is. */
export class Discarder {
  readonly #port = new MessageChannel().port1;

  constructor() {
    this.#port.close();
  }

  /** Detaches the array's buffer: no one may look at it, or at others over the same buffer, any more. */
  discard({ buffer }: { readonly buffer: ArrayBufferLike }): void {
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= WORTH_BYTES)
      this.#port.postMessage(null, [buffer]);
  }
}

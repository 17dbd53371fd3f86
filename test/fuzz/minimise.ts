/** Makes a failing case smaller: pieces are taken out, then bytes made zero, as long as it fails in the same way. */

/** `fails` tells whether bytes still do; `until` is when to stop (performance.now()). */
export function minimise(
  bytes: Uint8Array,
  fails: (bytes: Uint8Array) => boolean,
  until: number,
): Uint8Array {
  let best = bytes;
  for (let piece = Math.ceil(best.length / 2); piece >= 1; piece = piece === 1 ? 0 : Math.ceil(piece / 2)) {
    for (let at = 0; at < best.length; ) {
      if (performance.now() > until) return best;
      const shorter = new Uint8Array(best.length - Math.min(piece, best.length - at));
      shorter.set(best.subarray(0, at));
      shorter.set(best.subarray(at + piece), at);
      if (fails(shorter)) best = shorter;
      else at += piece;
    }
  }
  for (let at = 0; at < best.length && performance.now() <= until; at++) {
    if (best[at] === 0) continue;
    const plainer = best.slice();
    plainer[at] = 0;
    if (fails(plainer)) best = plainer;
  }
  return best;
}

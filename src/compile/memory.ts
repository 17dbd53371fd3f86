/**
 * Static memory: every block of a plan (values and scratch) lives from the first step that touches it to the last, and
 * blocks that do not live at the same time share addresses. Greatest first, each at the lowest place that is free for its
 * whole life (greedy by size, arXiv 2001.03288): on these networks within a few per cent of what is alive at once.
 */

/** A run of bytes with a life. */
export interface Lifetime {
  readonly bytes: number;
  /** Index of the first and the last step that touches it. */
  readonly first: number;
  readonly last: number;
}

/** Where blocks go: byte offsets into one area, in the order of the blocks, and the area's size. */
export interface Layout {
  readonly offsets: readonly number[];
  readonly bytes: number;
}

const ALIGNMENT_BYTES = 64;

/** Bytes that the blocks of the busiest step need: no layout is smaller. */
export function leastBytes(blocks: readonly Lifetime[]): number {
  const change = new Map<number, number>();
  for (const { bytes, first, last } of blocks) {
    const size = aligned(bytes);
    change.set(first, (change.get(first) ?? 0) + size);
    change.set(last + 1, (change.get(last + 1) ?? 0) - size);
  }
  let alive = 0;
  let most = 0;
  for (const step of [...change.keys()].sort((a, b) => a - b)) {
    alive += change.get(step) ?? 0;
    most = Math.max(most, alive);
  }
  return most;
}

/** Lays the blocks out, each on a 64-byte line; blocks that live at the same time do not overlap. */
export function layOut(blocks: readonly Lifetime[]): Layout {
  const offsets = new Array<number>(blocks.length).fill(0);
  const order = blocks.map((_, i) => i).sort((a, b) => blocks[b].bytes - blocks[a].bytes || a - b);
  const placed: number[] = []; // by offset
  let total = 0;
  for (const i of order) {
    const block = blocks[i];
    const size = aligned(block.bytes);
    let at = 0;
    for (const j of placed) {
      const other = blocks[j];
      if (other.first > block.last || other.last < block.first) continue;
      if (offsets[j] >= at + size) break; // fits before it
      at = Math.max(at, offsets[j] + aligned(other.bytes));
    }
    offsets[i] = at;
    total = Math.max(total, at + size);
    const position = placed.findIndex((j) => offsets[j] > at);
    placed.splice(position < 0 ? placed.length : position, 0, i);
  }
  return { offsets, bytes: total };
}

function aligned(bytes: number): number {
  return Math.ceil(Math.max(bytes, 1) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

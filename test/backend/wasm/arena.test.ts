/** The allocator: alignment, no overlap, merging, limits, addresses above 2 GiB, the same addresses every time. */
import { describe, expect, it } from "vitest";
import { Arena } from "../../../src/backend/wasm/arena.ts";
import { MobileDetrError } from "../../../src/errors.ts";
import { stream } from "./harness.ts";

const PAGE = 65536;
const newMemory = (maximum = 1024): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: 1, maximum, shared: true });

/** Random allocations and releases; returns the addresses in order. */
function fuzz(arena: Arena, seed: number, steps: number, base: number): number[] {
  const next = stream(seed);
  const held: { address: number; bytes: number }[] = [];
  const addresses: number[] = [];
  for (let i = 0; i < steps; i++) {
    if (held.length > 0 && next() < 0.05) {
      const at = Math.floor(((next() + 1) / 2) * held.length);
      arena.free(held[at].address);
      held.splice(at, 1);
    } else {
      const bytes = Math.floor(((next() + 1) / 2) ** 4 * 20_000);
      const address = arena.allocate(bytes);
      expect(address % 64).toBe(0);
      expect(address).toBeGreaterThanOrEqual(base);
      expect(address + bytes).toBeLessThanOrEqual(arena.bytesReserved);
      for (const other of held) {
        const apart = address + bytes <= other.address || other.address + other.bytes <= address;
        if (!apart) expect.fail(`block at ${address} overlaps the one at ${other.address}`);
      }
      held.push({ address, bytes });
      addresses.push(address);
    }
  }
  for (const { address } of held) arena.free(address);
  return addresses;
}

describe("Arena", () => {
  it("gives aligned blocks that never overlap, and all of its memory back as one (3 seeds, 1000 steps each)", () => {
    for (const seed of [1, 2, 3]) {
      const arena = new Arena(newMemory(), 1000, 1024 * PAGE);
      fuzz(arena, seed, 1000, 1000);
      expect(arena.bytesInUse).toBe(0);
      expect(arena.blocks).toBe(0);
      const reserved = arena.bytesReserved;
      const whole = arena.allocate(reserved - 1024); // 1024: 1000 rounded up
      expect(whole).toBe(1024);
      expect(arena.bytesReserved).toBe(reserved);
    }
  });

  it("gives the same addresses for the same calls", () => {
    const run = (): number[] => fuzz(new Arena(newMemory(), 64, 1024 * PAGE), 7, 500, 64);
    expect(run()).toEqual(run());
  });

  it("reuses a freed block: thousands of allocations in a row do not grow the memory", () => {
    const arena = new Arena(newMemory(), 0, 1024 * PAGE);
    for (let i = 0; i < 10_000; i++) {
      const blocks = [1, 2, 3].map((k) => arena.allocate(k * 100));
      for (const b of blocks) arena.free(b);
    }
    expect(arena.bytesReserved).toBe(PAGE);
  });

  it("an allocation of nothing has an address of its own", () => {
    const arena = new Arena(newMemory(), 0, 1024 * PAGE);
    expect(arena.allocate(0)).not.toBe(arena.allocate(0));
  });

  it("refuses to go over the limit with code memory and both figures, and goes on afterwards", () => {
    const arena = new Arena(newMemory(), 0, 4 * PAGE);
    const first = arena.allocate(3 * PAGE);
    try {
      arena.allocate(2 * PAGE);
      expect.fail("allocated over the limit");
    } catch (error) {
      expect(error).toBeInstanceOf(MobileDetrError);
      expect((error as MobileDetrError).code).toBe("memory");
      expect((error as Error).message).toContain(`${2 * PAGE}`);
      expect((error as Error).message).toContain(`${3 * PAGE} bytes in use`);
      expect((error as Error).message).toContain("maxMemoryBytes");
    }
    arena.allocate(PAGE);
    arena.free(first);
    expect(arena.allocate(PAGE)).toBe(first);
  });

  it("refuses when the engine does not grow the memory", () => {
    const arena = new Arena(newMemory(2), 0, 1024 * PAGE);
    expect(() => arena.allocate(3 * PAGE)).toThrow(/WASM memory: expected room for/);
  });

  it("reaches addresses above 2 GiB", () => {
    const arena = new Arena(newMemory(65536), 0, 65536 * PAGE);
    const big = arena.allocate(2 ** 31 + 2 ** 20); // never touched: no physical memory behind it
    const above = arena.allocate(4096);
    expect(above).toBeGreaterThan(2 ** 31);
    arena.free(big);
    arena.free(above);
    expect(arena.bytesInUse).toBe(0);
  });

  it("refuses to free what it did not give or what is free already", () => {
    const arena = new Arena(newMemory(), 0, 1024 * PAGE);
    const a = arena.allocate(10);
    arena.free(a);
    expect(() => arena.free(a)).toThrow(/arena: expected the address of a block/);
  });
});

/** Workers that die, hang, are slow, or are not wanted: what the pool makes of them. */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { describe, expect, it, vi } from "vitest";
import { MobileDetrError } from "../../../src/errors.ts";
import { newPool, type PoolParts } from "./new-pool.ts";

/** A script that runs odd-worker.mjs with a query: a worker of a file does not see the query of its own URL. */
function odd(query: string): URL {
  const url = new URL(`./odd-worker.mjs?${query}`, import.meta.url);
  return new URL(`data:text/javascript,import ${encodeURIComponent(JSON.stringify(url.href))}`);
}

/** Runs jobs until one fails; what it failed with. Without a turn of the event loop. */
function firstFailure({ fill }: PoolParts): MobileDetrError {
  const end = performance.now() + 30_000;
  for (let job = 1; performance.now() < end; job++) {
    const start = performance.now();
    try {
      fill(job);
    } catch (error) {
      if (!(error instanceof MobileDetrError)) throw error;
      expect(performance.now() - start).toBeLessThan(5000); // it takes 0.1 s, and a busy machine's time
      return error;
    }
  }
  return expect.fail("no job failed");
}

/** Runs jobs until so many workers are there. Without a turn of the event loop. */
function fillUntil({ fill, pool }: PoolParts, workers: number): void {
  const end = performance.now() + 30_000;
  for (let job = 1; pool.workers !== workers; job++) {
    fill(job);
    if (performance.now() > end) expect.fail(`${pool.workers} workers after 30 s`);
  }
}

/** What makes the pool's workers known to a test. */
function watchWorkers(): { readonly workers: Worker[]; done(): void } {
  const workers: Worker[] = [];
  const unref = Worker.prototype.unref;
  const spy = vi.spyOn(Worker.prototype, "unref").mockImplementation(function (this: Worker) {
    workers.push(this);
    unref.call(this);
  });
  return { workers, done: () => spy.mockRestore() };
}

describe("a worker that ends inside a job", () => {
  it("fails that call with code state, and the next call is whole, on as many threads", async () => {
    const parts = newPool(3, { script: odd("fault=exit") });
    const error = firstFailure(parts);
    expect(error.code).toBe("state");
    expect(error.message).toMatch(/fillWords: expected worker threads that live .*got one that died/);
    parts.fill(1);
    fillUntil(parts, 2);
    for (let job = 0; job < 2000; job++) parts.fill(job);
    await parts.pool.close();
  });

  it("is known without the event loop, and a turn of it adds nothing", async () => {
    const parts = newPool(2, { script: odd("fault=exit") });
    firstFailure(parts);
    await sleep(100); // its exit event comes, after its place was found empty
    fillUntil(parts, 1);
    parts.fill(5);
    expect(parts.pool.workers).toBe(1);
    await parts.pool.close();
  });
});

it("a worker that is slow is waited for, as long as it lives: 1.5 s for a chunk is no death", async () => {
  const parts = newPool(2, { script: odd("fault=slow") });
  const end = performance.now() + 30_000;
  let longest = 0;
  for (let job = 1; longest < 1000 && performance.now() < end; job++) {
    const start = performance.now();
    parts.fill(job);
    longest = Math.max(longest, performance.now() - start);
  }
  expect(longest).toBeGreaterThan(1000);
  expect(parts.pool.workers).toBe(1);
  await parts.pool.close();
});

it("a worker that hangs is given up after the limit of time, ended, and replaced", async () => {
  const parts = newPool(3, { script: odd("fault=hang"), stallMs: 300 });
  const error = firstFailure(parts);
  expect([error.code, error.message]).toEqual(["state", expect.stringContaining("no progress for 300 ms")]);
  fillUntil(parts, 2);
  for (let job = 0; job < 2000; job++) parts.fill(job);
  await parts.pool.close();
});

describe("a worker that dies between jobs", () => {
  it("is replaced, and no call fails", async () => {
    const { workers, done } = watchWorkers();
    const parts = newPool(4);
    fillUntil(parts, 3);
    for (let round = 0; round < 3; round++) {
      await Promise.all(workers.splice(0, 2).map((worker) => worker.terminate()));
      expect(parts.pool.workers).toBe(1);
      fillUntil(parts, 3);
      expect(workers.length).toBe(3);
    }
    done();
    await parts.pool.close();
  });

  it("at any moment: jobs are whole or fail with code state, and the one after a failure is whole", async () => {
    const { workers, done } = watchWorkers();
    const parts = newPool(3);
    for (let round = 0; round < 40; round++) {
      fillUntil(parts, 2);
      void workers.at(-1 - (round % 2))?.terminate(); // takes effect while the jobs run
      for (let job = 0; job < 100; job++) {
        try {
          parts.fill(job);
        } catch (error) {
          expect((error as MobileDetrError).code).toBe("state");
          parts.fill(-job);
        }
      }
      await sleep(round % 5);
    }
    done();
    await parts.pool.close();
  });
});

describe("a worker that dies at its start", () => {
  it("is replaced where the next one starts", async () => {
    const parts = newPool(2, { script: odd("fault=die&times=2") });
    for (let job = 0; parts.pool.workers !== 1; job++) {
      parts.fill(job);
      await sleep(5);
    }
    await parts.pool.close();
  });

  it("three times over is an error of code state that says why; the pool heals when one starts", async () => {
    const parts = newPool(2, { script: odd("fault=die&times=4") });
    let failure: MobileDetrError | undefined;
    for (let job = 0; parts.pool.workers !== 1; job++) {
      try {
        parts.fill(job);
      } catch (error) {
        failure = error as MobileDetrError;
      }
      await sleep(5);
    }
    expect([failure?.code, failure?.message]).toEqual(["state", expect.stringContaining("no start today")]);
    parts.fill(1);
    await parts.pool.close();
  });
});

it("a limit keeps workers out from the next job on, and lets them in again", async () => {
  const parts = newPool(4, { script: odd("fault=count") });
  const words = new Int32Array(parts.memory.buffer);
  const counts = (): number[] => [1, 2, 3].map((index) => Atomics.load(words, words.length - 1 - index));
  const everybody = (): void => {
    const before = counts();
    const end = performance.now() + 30_000;
    while (!counts().every((count, i) => count > before[i]) && performance.now() < end) parts.fill(1);
    expect(counts().every((count, i) => count > before[i])).toBe(true);
  };
  everybody();
  for (const limit of [2, 1, 3]) {
    const before = counts();
    for (let job = 0; job < 3000; job++) parts.fill(job, limit);
    const after = counts();
    for (let i = limit - 1; i < 3; i++) expect(after[i]).toBe(before[i]);
    if (limit > 1) expect(after[0]).toBeGreaterThan(before[0]);
    everybody();
  }
  const start = performance.now();
  parts.fill(1, 1);
  await parts.pool.close(); // one that is kept out ends as well
  expect(performance.now() - start).toBeLessThan(5000);
});

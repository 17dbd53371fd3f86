import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.check.ts"], // not *.test.ts: `npm test` does not run them
    globalSetup: ["./install.ts"],
    fileParallelism: false, // each test fills both cores of a small machine with a process of its own
    testTimeout: 60_000,
  },
});

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Threads of one test's pool and of the runner share two cores on small machines: files run one or two at a time.
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});

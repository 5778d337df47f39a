import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{mesh,services,tools}/**/*.test.ts"],
    exclude: ["**/node_modules/**"],
    globalSetup: ["tools/dev/testing/global-setup.ts"],
    pool: "forks",
    expect: { poll: { timeout: 10_000 } },
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});

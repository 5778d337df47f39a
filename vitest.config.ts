import { defineConfig } from "vitest/config";

/** Whole shops, and processes under load that others would slow down. */
const endToEnd = ["tools/dev/e2e/**/*.test.ts", "mesh/**/*.e2e.test.ts"];
/** Takes the documents' pictures, which is nobody's test: only when asked for. */
const pictures = process.env.PICTURES ? [] : ["tools/dev/e2e/pictures.test.ts"];

export default defineConfig({
  test: {
    globalSetup: ["tools/dev/testing/global-setup.ts"],
    pool: "forks",
    expect: { poll: { timeout: 10_000 } },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "parts",
          include: ["{mesh,services,tools}/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...endToEnd],
        },
      },
      {
        // One after the other; make test runs them after the rest: two cores carry no more.
        extends: true,
        test: { name: "end to end", include: endToEnd, exclude: pictures, fileParallelism: false },
      },
    ],
  },
});

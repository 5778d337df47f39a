import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import { type RecommendDeps, recommend } from "./usecases.ts";

const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };

function knowing(known: { together?: string[] | Error; popular?: string[]; fixed?: string[] }): RecommendDeps {
  const { together = [], popular = [], fixed = ["F1", "F2", "F3", "F4", "F5"] } = known;
  return {
    pairs: {
      boughtTogether: async (_sku, limit) => {
        if (together instanceof Error) throw together;
        return together.slice(0, limit);
      },
    },
    popular: async () => popular,
    fixed,
    logger,
  };
}

const away = new ConnectError("away", Code.Unavailable);

test.each([
  [
    "bought together, if enough was",
    knowing({ together: ["A", "B", "C", "D", "E"] }),
    ["A", "B", "C", "D"],
    "bought together",
  ],
  [
    "filled up from popular, each once",
    knowing({ together: ["A"], popular: ["B", "A", "C"] }),
    ["A", "B", "C", "F1"],
    "bought together",
  ],
  [
    "popular, without the product itself",
    knowing({ popular: ["S", "P", "Q", "R", "T", "U"] }),
    ["P", "Q", "R", "T"],
    "popular",
  ],
  ["the fixed list, if nothing is known", knowing({}), ["F1", "F2", "F3", "F4"], "fixed"],
  ["the database away: popular", knowing({ together: away, popular: ["P"], fixed: [] }), ["P"], "popular"],
  [
    "a database that does not understand: the fixed list",
    knowing({ together: new Error("syntax"), fixed: ["S", "F"] }),
    ["F"],
    "fixed",
  ],
  ["nothing at all", knowing({ fixed: [] }), [], "fixed"],
])("recommend(): %s", async (_title, deps, skus, source) => {
  expect(await recommend(deps, { sku: "S", pageSize: 0 })).toEqual({ skus, source });
});

test("recommend() asks no further source than it needs", async () => {
  const popular = vi.fn(async () => []);
  await recommend({ ...knowing({ together: ["A", "B"] }), popular }, { sku: "S", pageSize: 2 });
  expect(popular).not.toHaveBeenCalled();
});

import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SEED_PASSWORD } from "../seed-data.ts";
import { startBrowser, type TestBrowser } from "./browser.ts";
import { type Shop, startShop } from "./shop.ts";

const directory = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
/** They are read over networks, and kept in the repository for ever. */
const bytesMax = 150_000;

/** Takes the documents' pictures of the storefront anew: `PICTURES=1 make test ONLY=tools/dev/e2e/pictures.test.ts`. */
describe("pictures of the storefront", { timeout: 60_000 }, () => {
  let shop: Shop;
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await startBrowser();
    shop = await startShop("single", {}, { history: true });
  }, 300_000);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await shop?.[Symbol.asyncDispose]();
  });

  const visit = (height: number, colorScheme: "light" | "dark" = "light") =>
    browser.visit({ baseURL: shop.stack.addresses.edge, viewport: { width: 1280, height }, colorScheme });
  const take = async (page: Page, name: string) => {
    await page.mouse.move(0, 0);
    // Those below the fold are not even asked for.
    await page.evaluate(`Promise.all([
      document.fonts.ready,
      ...[...document.images].filter((image) => image.getBoundingClientRect().top < innerHeight).map((image) => image.decode()),
    ])`);
    const path = `${directory}storefront-${name}.png`;
    await page.screenshot({ path });
    expect((await stat(path)).size, path).toBeLessThanOrEqual(bytesMax);
  };
  const logIn = async (page: Page, email: string, password: string, next: string) => {
    await page.goto(`/log-in?next=${encodeURIComponent(next)}`);
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL(`**${next}`);
  };

  test("what everybody sees first", async () => {
    await using window = await visit(1_180);
    await window.page.goto("/");
    await window.page.locator(".card").first().waitFor();
    await take(window.page, "home");
  });

  test("an order on its way", async () => {
    await using window = await visit(820, "dark");
    const { page } = window;
    await logIn(page, (await shop.customer()).email, "correct horse", "/profile");
    for (const sku of ["COF-PRESS-800", "COF-ESPRESSO-1000"]) {
      await page.goto(`/products/${sku}`);
      await page.getByRole("button", { name: "Add to cart" }).click();
      await page.getByRole("status").filter({ hasText: "is in your cart" }).waitFor();
    }
    await page.goto("/checkout");
    await page.getByRole("button", { name: /^Pay/ }).click();
    await page.locator('.order-status[data-state="paid"]').waitFor();
    await page.locator('[data-connection="live"]').waitFor();
    await page.getByRole("link", { name: "Cart", exact: true }).waitFor();
    await take(page, "order");
  });

  test("a manager's day", async () => {
    await using window = await visit(1_180);
    const { page } = window;
    const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    await logIn(page, "manager@shop.test", SEED_PASSWORD, `/today?day=${day}`);
    await page.locator(".top li").first().waitFor();
    await take(page, "today");
  });
});

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WarehouseService } from "../../../gen/shop/api/v1/warehouse_pb.ts";
import { createCustomer } from "../demo/customer.ts";
import { SEED_PASSWORD } from "../seed-data.ts";
import { expectBooksToBalance } from "./books.ts";
import { startBrowser, type TestBrowser, type Visitor } from "./browser.ts";
import { type Shop, startShop } from "./shop.ts";

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PLACE_ORDER = "**/shop.api.v1.OrderService/PlaceOrder";
const password = "correct horse";
const sku = "COF-PRESS-800";

describe.each(["multi", "single"] as const)(
  "the storefront in Chromium, topology %s",
  { timeout: 60_000 },
  (topology) => {
    let shop: Shop;
    let browser: TestBrowser;
    let visitor: Visitor;
    let page: Page;
    let axe: string;
    beforeAll(async () => {
      axe = await readFile(axePath, "utf8");
      browser = await startBrowser();
      shop = await startShop(topology);
    }, 300_000);
    afterAll(async () => {
      await browser?.[Symbol.asyncDispose]();
      await shop?.[Symbol.asyncDispose]();
    });
    beforeEach(async () => {
      visitor = await browser.visit({ baseURL: shop.stack.addresses.edge });
      page = visitor.page;
      page.setDefaultTimeout(15_000);
    });
    afterEach(() => visitor?.[Symbol.asyncDispose]());

    const orderState = (state: string) => page.locator(`.order-status[data-state="${state}"]`).waitFor();
    const heading = (name: string | RegExp) => page.getByRole("heading", { level: 1, name }).waitFor();
    const button = (name: string | RegExp) => page.getByRole("button", { name });
    const addToCart = async (which: string) => {
      await page.goto(`/products/${which}`);
      await button("Add to cart").click();
      await page.getByRole("status").filter({ hasText: "is in your cart" }).waitFor();
    };
    const register = async () => {
      const email = `${randomUUID()}@example.com`;
      await page.getByRole("link", { name: "Open an account" }).click();
      await heading("Open an account");
      await page.getByLabel("Your name").fill("Ada");
      await page.getByLabel("E-mail").fill(email);
      await page.getByLabel("Password").fill(password);
      await button("Open account").click();
      return email;
    };
    const registered = async () => {
      await page.goto("/log-in");
      return await register().finally(() => page.waitForURL("/"));
    };
    const ordersOf = (email: string) =>
      shop
        .rows<{ user_id: string }>("user", "SELECT user_id FROM users WHERE email = ?", [email])
        .then(([user]) =>
          shop.rows<{ order_id: string; state: string }>(
            "order",
            "SELECT order_id, state FROM orders WHERE user_id = ?",
            [user?.user_id ?? ""],
          ),
        );

    test("a visitor searches, fills a cart, becomes a customer, pays with a double click, watches, cancels another", async () => {
      await page.goto("/");
      await heading("Plain things, well made.");
      await page.getByRole("searchbox").fill("double-walled press, two layers");
      await page.keyboard.press("Enter");
      await heading("“double-walled press, two layers”");
      await page.getByRole("link", { name: "French press, 0.8 l" }).click();
      await heading("French press, 0.8 l");
      await page.getByText(/in stock|left/i).waitFor();
      await button("One more of French press").click();
      await button("Add to cart").click();
      await page.getByRole("link", { name: "Cart 2 items" }).click();
      await heading("Your cart");
      await page.getByText("€89.00").first().waitFor();
      await page.getByRole("link", { name: "Check out" }).click();
      await heading("Log in");
      const email = await register();
      await heading("Check out");
      await button("Pay €89.00").dblclick();
      await heading("Your order");
      await orderState("paid");
      expect(await page.locator(".step-past, .step-present").count()).toBe(4);
      await page.locator('[data-connection="live"]').waitFor();
      const [placed, ...others] = await ordersOf(email);
      expect(others, "a double click is one order").toEqual([]);

      await addToCart("PAP-NOTEBOOK-A5");
      await page.goto("/checkout");
      await button(/^Pay/).click();
      await heading("Your order");
      await page.getByRole("link", { name: "Your orders" }).click();
      await heading("Your orders");
      const newest = page.locator(".order").first();
      await newest.getByRole("button", { name: "Cancel order" }).click();
      await button("Yes, cancel it").click();
      await newest.locator('[data-state="cancelled"]').waitFor();
      expect(await page.locator(".order").count()).toBe(2);
      await expect
        .poll(async () => (await ordersOf(email)).map(({ state }) => state).sort())
        .toEqual(["CANCELLED", "PAID"]);
      await page.locator(`[data-order="${placed?.order_id}"] [data-state="paid"]`).waitFor();
      expect(visitor.complaints).toEqual([]);
    });

    /** Somebody of the shop's own people in a window of their own, at a page of theirs. */
    const staff = async (email: string, path: string): Promise<Visitor> => {
      const window = await browser.visit({ baseURL: shop.stack.addresses.edge });
      window.page.setDefaultTimeout(15_000);
      await logInAs(window.page, email, path);
      return window;
    };
    const logInAs = async (where: Page, email: string, path: string) => {
      await where.goto(`/log-in?next=${path}`);
      await where.getByLabel("E-mail").fill(email);
      await where.getByLabel("Password").fill(SEED_PASSWORD);
      await where.keyboard.press("Enter");
      await where.locator(".connection").waitFor();
    };

    test("a clerk ships an order by keyboard, its customer sees it live and gets an e-mail, a manager reads of it", async () => {
      await using manager = await staff("manager@shop.test", "/today");
      const paidCount = manager.page.locator('[data-step="ordersPaid"] .funnel-count');
      // Not the sum: what another test has cancelled may still be given back.
      const taken = manager.page.locator(".day-taken");
      const before = { paid: await numberIn(paidCount), taken: await numberIn(taken) };
      await using clerk = await staff("clerk@shop.test", "/warehouse");
      await clerk.page.getByLabel("Newest first").check();
      const email = await registered();
      await addToCart(sku);
      await page.goto("/checkout");
      await button(/^Pay/).click();
      await orderState("paid");
      const [order] = await ordersOf(email);

      // It comes in by itself, above what was there.
      const parcel = clerk.page.locator(`[data-order="${order?.order_id}"]`);
      await parcel.and(clerk.page.locator(".parcel:first-child")).waitFor();
      const others = await clerk.page.locator(".parcel").count();
      await parcel.getByLabel("Tracking number").fill("not a number");
      await clerk.page.keyboard.press("Enter");
      await parcel.getByRole("alert").waitFor();
      await parcel.getByLabel("Tracking number").fill("DHL-4711");
      await clerk.page.keyboard.press("Tab");
      expect(await clerk.page.locator(":focus").getAttribute("aria-label")).toBe("Ship 1 × French press, 0.8 l");
      await clerk.page.keyboard.press("Enter");
      await parcel.waitFor({ state: "detached" });
      const nextFocus = others === 1 ? "Warehouse" : "Ship";
      expect(await clerk.page.locator(":focus").textContent()).toBe(nextFocus);
      await clerk.page.getByRole("status").filter({ hasText: "On its way: 1 × French press" }).waitFor();

      await orderState("shipped");
      await page.getByText("Tracking number DHL-4711").waitFor();
      await expect
        .poll(async () => (await shop.mails()).filter(({ to }) => to.includes(email)).map(({ subject }) => subject))
        .toContainEqual(expect.stringMatching(/on its way|shipped/i));

      await clerk.page.getByRole("link", { name: "On their way" }).click();
      await parcel.getByText("DHL-4711").waitFor();
      await parcel.getByRole("button", { name: /^Mark delivered/ }).click();
      await orderState("delivered");
      await page.locator('[data-connection="ended"]').waitFor({ state: "attached" });

      // The manager's page has been open all the time.
      await expect.poll(() => numberIn(paidCount)).toBeGreaterThan(before.paid);
      await expect.poll(() => numberIn(taken)).toBeGreaterThanOrEqual(before.taken + 44.5);
      await manager.page.locator(".top li").first().waitFor();
      expect([...clerk.complaints.filter((each) => !each.includes("400")), ...manager.complaints]).toEqual([]);
    });

    test("a delivery that a clerk streams in by gRPC is on the shelf, its bad line named", async () => {
      const { edge } = shop.stack.addresses;
      const { accounts, catalog } = createCustomer(edge);
      const scarf = { sku: "LTD-SCARF-ANNIVERSARY" };
      const { available: before = 0n } = await catalog.getProduct(scarf);
      const { accessToken } = await accounts.logIn({ email: "clerk@shop.test", password: SEED_PASSWORD });
      const warehouse = createClient(WarehouseService, createGrpcTransport({ baseUrl: edge }));
      const importId = randomUUID();
      const summary = await warehouse.importStock(
        (async function* () {
          yield { importId, firstLine: 1n, lines: [{ ...scarf, quantity: 40n }] };
          yield { importId, firstLine: 2n, lines: [{ sku: "NO-SUCH-THING", quantity: 1n }] };
        })(),
        { headers: { authorization: `Bearer ${accessToken}` } },
      );
      expect(summary).toMatchObject({ accepted: 1n, rejected: [{ line: 2n, sku: "NO-SUCH-THING" }] });
      await page.goto(`/products/${scarf.sku}`);
      await page.getByText(`In stock, ${before + 40n} ready to ship`).waitFor();
    });

    test("staff's pages are for staff: a customer sees no link to them, and is refused by the API itself", async () => {
      await registered();
      expect(await page.getByRole("link", { name: /^(Warehouse|Today)$/ }).count()).toBe(0);
      for (const path of ["/warehouse", "/warehouse/on-their-way", "/today"]) {
        await page.goto(path);
        await heading("For staff only");
      }
      const { token } = await shop.customer();
      for (const [method, body] of [
        ["WarehouseService/ListParcels", { state: "ORDER_STATE_PAID" }],
        ["WarehouseService/ShipOrder", { orderId: "ord_1", trackingNumber: "DHL-1" }],
        ["ReportService/GetFunnel", { day: "2026-11-22" }],
        ["AssortmentService/ChangePrice", { sku, price: { currencyCode: "EUR", minorUnits: "1" } }],
      ] as const) {
        const answer = await fetch(`${shop.stack.addresses.edge}/shop.api.v1.${method}`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
          body: JSON.stringify(body),
        });
        expect([method, answer.status, await answer.json()]).toMatchObject([
          method,
          403,
          { code: "permission_denied" },
        ]);
      }
      await page.evaluate("localStorage.clear()");
      await page.goto("/warehouse");
      await heading("Log in");
    });

    test("an order whose answer was lost is asked for again, and is one order", async () => {
      const email = await registered();
      await addToCart(sku);
      await page.goto("/checkout");
      let lost = 0;
      await page.route(PLACE_ORDER, async (route) => {
        if (lost++ > 0) return route.continue();
        await route.fetch();
        await route.abort("connectionreset");
      });
      await button(/^Pay/).click();
      await page.getByText("never orders or charges twice").waitFor();
      await page.reload();
      await button("Ask again").click();
      await heading("Your order");
      await orderState("paid");
      expect(await ordersOf(email)).toHaveLength(1);
    });

    test("a declined card is told, and the things go back into the cart", async () => {
      await registered();
      await addToCart(sku);
      await page.goto("/checkout");
      await page.getByLabel("Mastercard ending 0002").check();
      await button(/^Pay/).click();
      await orderState("cancelled");
      await page.getByText(/declined/).waitFor();
      await button("Put all back into the cart").click();
      await heading("Your cart");
      await page.getByRole("link", { name: "French press, 0.8 l" }).waitFor();
    });

    test("a watched order is followed again after the edge was away", async () => {
      await registered();
      await addToCart(sku);
      await page.goto("/checkout");
      await button(/^Pay/).click();
      await orderState("paid");
      const connection = (state: string) => page.locator(`[data-connection="${state}"]`).waitFor({ timeout: 40_000 });
      await connection("live");
      const member = topology === "multi" ? "edge" : "single";
      shop.stack.kill(member, "SIGKILL");
      await shop.stack.ended(member);
      await connection("reconnecting");
      await shop.stack.start(member);
      await connection("live");
    });

    test("a profile is kept, and what is wrong is told at its field", async () => {
      const email = await registered();
      await page.getByRole("link", { name: "Profile" }).click();
      await page.getByText(email).waitFor();
      await page.getByLabel("Phone").fill("030 123");
      await button("Save").click();
      await page.getByText("country code and digits only").waitFor();
      await page.getByLabel("Phone").fill("+4930123456");
      await page.getByLabel("By text message").check();
      await button("Save").click();
      await page.getByText("Your profile is saved.").waitFor();
      await page.reload();
      await expect.poll(() => page.getByLabel("Phone").inputValue()).toBe("+4930123456");
      expect(await page.getByLabel("By text message").isChecked()).toBe(true);
      await button("Log out").click();
      await page.getByRole("link", { name: "Log in" }).waitFor();
      await page.goto("/orders");
      await heading("Log in");
      await page.getByLabel("E-mail").fill(email);
      await page.getByLabel("Password").fill("wrong horse");
      await button("Log in").click();
      await page.getByRole("alert").filter({ hasText: "do not belong together" }).waitFor();
      await page.getByLabel("Password").fill(password);
      await button("Log in").click();
      await heading("Your orders");
    });

    // What the page does by itself does not depend on where the services run: once is enough.
    if (topology === "single") {
      test("the keyboard alone reaches everything, and the focus follows", async () => {
        await page.goto("/");
        await heading("Plain things");
        await page.keyboard.press("Tab");
        expect(await page.locator(":focus").textContent()).toBe("Skip to content");
        await page.keyboard.press("Enter");
        expect(await page.locator(":focus").getAttribute("id")).toBe("main");
        await page.locator(".card a").first().focus();
        const name = (await page.locator(":focus").textContent()) ?? "";
        await page.keyboard.press("Enter");
        await heading(name);
        expect(await page.locator("h1:focus").textContent()).toBe(name);
        await page.goBack();
        await heading("Plain things");
        expect(await page.locator("h1:focus").count()).toBe(1);
      });

      test("a list that has grown is as it was when one comes back", async () => {
        await page.goto("/");
        await button("Show more").click();
        await expect.poll(() => page.locator(".card").count()).toBe(48);
        const card = page.locator(".card").nth(40);
        await card.scrollIntoViewIfNeeded();
        const scrolled = await page.evaluate<number>("scrollY");
        await card.getByRole("link").click();
        await page.locator(".product").waitFor();
        await page.goBack();
        await expect.poll(() => page.locator(".card").count()).toBe(48);
        expect(Math.abs((await page.evaluate<number>("scrollY")) - scrolled)).toBeLessThan(50);
      });

      test("no network is told in human words, and trying again helps", async () => {
        await page.goto("/");
        await heading("Plain things");
        await visitor.context.setOffline(true);
        await page.locator(".card a").first().click();
        await heading("No connection");
        await visitor.context.setOffline(false);
        await button("Try again").click();
        await page.locator(".product").waitFor();
      });

      test("every page can be read: in a window, on a phone in the dark, by a screen reader, with as little motion as one likes", async () => {
        const looks = [
          { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
          { viewport: { width: 390, height: 844 }, colorScheme: "dark" },
        ] as const;
        /** Nothing moves for longer than a moment: one has asked for that, and a colour on its way is not to be judged. */
        const settled = (path: string) =>
          expect
            .poll(() => page.evaluate("document.getAnimations().length"), {
              timeout: 2_000,
              interval: 10,
              message: `${path} moves`,
            })
            .toBe(0);
        const sideways = async (path: string) => {
          const wider = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
          expect.soft(wider, `${path} scrolls sideways`).toBeLessThanOrEqual(0);
        };
        const check = async (path: string, ready: string) => {
          if (path !== "") await page.goto(path);
          await page.locator(ready).first().waitFor();
          await page.evaluate(axe);
          for (const { viewport, colorScheme } of looks) {
            await page.setViewportSize(viewport);
            await page.emulateMedia({ colorScheme });
            await settled(path);
            const { violations } = await page.evaluate<AxeResults>("axe.run()");
            const found = violations.map(({ id, nodes }) => [id, nodes[0]?.html]);
            expect.soft(found, `${path} ${colorScheme}`).toEqual([]);
            await sideways(path);
          }
          // The narrowest that WCAG 1.4.10 asks for.
          await page.setViewportSize({ width: 320, height: 640 });
          await settled(path);
          await sideways(path);
        };
        await check("/", ".card");
        await check("/categories/tea", ".card");
        await check("/search?q=coffee", ".card");
        await check("/search?q=", "h1");
        await check("/nowhere", "h1");
        await check(`/products/${sku}`, ".product");
        await check("/cart", ".lead");
        await check("/log-in?next=/orders", "form.form");
        await check("/register", "form.form");
        await registered();
        await addToCart(sku);
        await check("/cart", ".line");
        await check("/profile", "form.form");
        await check("/checkout", ".method");
        await button(/^Pay/).click();
        await orderState("paid");
        await check("", ".timeline");
        await button("Cancel order").click();
        await check("", "dialog");
        await button("Keep it").click();
        await check("/orders", ".order");
        await logInAs(page, "clerk@shop.test", "/warehouse");
        await check("", ".parcel");
        await check("/warehouse/on-their-way", ".lead");
        await check("/today", "h1");
        await logInAs(page, "manager@shop.test", "/today");
        await page.getByText("As a table").click();
        await check("", ".day");
        await check(`/today?day=${yesterday()}`, ".day");
        // The clerk is refused the manager's page, which a browser tells the console.
        expect(visitor.complaints.filter((each) => !each.includes("403"))).toEqual([]);
      });

      test("assets are immutable, the page is not, and nothing inline may run", async () => {
        const response = await fetch(shop.stack.addresses.edge);
        const html = await response.text();
        const policy = response.headers.get("content-security-policy") ?? "";
        expect(policy).toMatch(/default-src '(none|self)'/);
        expect(policy).not.toContain("unsafe");
        expect(response.headers.get("cache-control")).toMatch(/no-cache/);
        const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path = ""]) => path);
        expect(assets.length).toBeGreaterThan(2);
        for (const path of assets) {
          const asset = await fetch(`${shop.stack.addresses.edge}${path}`);
          expect([path, asset.status]).toEqual([path, 200]);
          expect(asset.headers.get("cache-control")).toContain("immutable");
        }
        expect((await fetch(`${shop.stack.addresses.edge}/assets/no-such.js`)).status).toBe(404);
      });
    }

    // In one process no service is away alone.
    if (topology === "multi") {
      test("with services away the shop goes on: less is shown, and said so; what cannot be done is told with an id", async () => {
        const { stack } = shop;
        for (const name of ["inventory", "recommendation"]) await stack.stop(name);
        const startedMs = performance.now();
        await page.goto(`/products/${sku}`);
        await page.getByText("We cannot see our shelves at the moment").waitFor();
        expect(performance.now() - startedMs).toBeLessThan(3_000);
        await stack.stop("cart");
        await button("Add to cart").click();
        const alert = page.getByRole("alert");
        await alert.getByText("Part of the shop is not answering").waitFor();
        expect(await alert.getByText(/Request [0-9a-f]{32}/).count()).toBe(1);
        for (const name of ["inventory", "recommendation", "cart"]) await stack.start(name);
        await expect
          .poll(
            async () => {
              await button("Try again")
                .click({ timeout: 1_000 })
                .catch(() => undefined);
              return await page.getByRole("link", { name: /Cart 1/ }).count();
            },
            { timeout: 20_000 },
          )
          .toBe(1);
      });
    }

    test("afterwards the books balance", async () => {
      await expect
        .poll(() => expectBooksToBalance(shop).then(() => "balanced", String), { timeout: 20_000 })
        .toBe("balanced");
    });
  },
);

/** The number that is written there: 1234.5 of "€1,234.50". */
async function numberIn(locator: Locator): Promise<number> {
  return Number(((await locator.textContent()) ?? "").replaceAll(/[^0-9.-]/g, ""));
}

function yesterday(): string {
  return new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
}

/** What we use of an answer of axe-core's. */
interface AxeResults {
  violations: { id: string; nodes: { html: string }[] }[];
}

import { createApi } from "./api.ts";
import { createCartStore } from "./cart.ts";
import { createCheckout } from "./checkout.ts";
import type { App, Place } from "./page.ts";
import { cartPage } from "./pages/cart.ts";
import { categoryPage } from "./pages/category.ts";
import { checkoutPage } from "./pages/checkout.ts";
import { failedPage } from "./pages/failed.ts";
import { homePage } from "./pages/home.ts";
import { logInPage } from "./pages/log-in.ts";
import { notFoundPage } from "./pages/not-found.ts";
import { orderPage } from "./pages/order.ts";
import { ordersPage } from "./pages/orders.ts";
import { productPage } from "./pages/product.ts";
import { profilePage } from "./pages/profile.ts";
import { registerPage } from "./pages/register.ts";
import { searchPage } from "./pages/search.ts";
import { todayPage } from "./pages/today.ts";
import { onTheirWayPage, toShipPage } from "./pages/warehouse.ts";
import { createShell } from "./parts/shell.ts";
import { createRouter } from "./router.ts";
import type { Routes } from "./routes.ts";
import { createSession } from "./session.ts";
import { createStorage } from "./storage.ts";

const routes: Routes<Place> = [
  ["/", { load: homePage }],
  ["/categories/:name", { load: categoryPage }],
  ["/search", { load: searchPage }],
  ["/products/:sku", { load: productPage }],
  ["/cart", { load: cartPage }],
  ["/checkout", { load: checkoutPage, needsLogIn: true }],
  ["/orders", { load: ordersPage, needsLogIn: true }],
  ["/orders/:id", { load: orderPage, needsLogIn: true }],
  ["/profile", { load: profilePage, needsLogIn: true }],
  ["/warehouse", { load: toShipPage, needsLogIn: true }],
  ["/warehouse/on-their-way", { load: onTheirWayPage, needsLogIn: true }],
  ["/today", { load: todayPage, needsLogIn: true }],
  ["/log-in", { load: logInPage }],
  ["/register", { load: registerPage }],
];

function start(): void {
  const storage = createStorage(localStorage);
  const session = createSession(storage, Date.now);
  const api = createApi(location.origin, session, randomId);
  const cart = createCartStore({ carts: api.carts, session, storage, newId: randomId });
  const checkout = createCheckout({ orders: api.orders, storage, userId: session.userId, newKey: randomId });

  const shell = createShell({ session, cart, go: (path) => router.go(path) });
  const app: App = {
    ...{ api, session, cart, checkout },
    announce: shell.announce,
    go: (path, options) => router.go(path, options),
    reload: () => router.reload(),
  };
  const router = createRouter({
    ...{ routes, main: shell.main, shown: shell.shown },
    notFound: { load: notFoundPage },
    failed: failedPage,
    app: () => app,
  });
  document.body.replaceChildren(...shell.parts);
  router.start();
  // The number beside the cart is not worth an error.
  if (cart.mayHaveItems()) cart.load().catch(() => undefined);
}

/** 128 bits nobody can guess. Not randomUUID: browsers have that on https and localhost only. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

start();

import { randomUUID } from "node:crypto";
import { type Order, OrderState } from "../../gen/shop/api/v1/order_pb.ts";
import type { Money } from "../../gen/shop/type/v1/money_pb.ts";
import { formatMoney } from "../../services/edge/storefront/src/money.ts";
import { type Customer, createCustomer } from "./demo/customer.ts";
import { type EventFlow, eventFlows } from "./demo/events.ts";
import { createSteps, type Steps, waitFor } from "./demo/steps.ts";
import { drawWaterfall } from "./demo/waterfall.ts";
import type { ReceivedSpan } from "./outside/otlp.ts";
import type { AddressBook } from "./stack/address-book.ts";
import { bringUp } from "./supervisor/bring-up.ts";
import { readSettings, stackDirectory } from "./supervisor/settings.ts";
import { stackTable } from "./supervisor/table.ts";

/** What an order's events must have reached for the demo to be a success. */
const expectedFlows: readonly EventFlow[] = [
  { event: "OrderPlaced", publisher: "order", consumers: [] },
  { event: "StockReserved", publisher: "inventory", consumers: [] },
  { event: "PaymentAuthorized", publisher: "payment", consumers: [] },
  { event: "OrderConfirmed", publisher: "order", consumers: ["inventory", "notification", "payment"] },
  { event: "PaymentCaptured", publisher: "payment", consumers: ["order"] },
  { event: "OrderPaid", publisher: "order", consumers: [] },
];

/** `make demo`: from whatever is there to a confirmed order, hop by hop. Rejects with the step that did not happen. */
async function demo(): Promise<void> {
  const startedAt = performance.now();
  const steps = createSteps((text) => process.stdout.write(text));
  const up = () =>
    bringUp({
      directory: stackDirectory(process.env),
      settings: readSettings(process.env),
      say: (line) => steps.show([line]),
    });

  steps.heading("The stack: engines, outside parties, services");
  const { addresses } = await steps.step("start what is not running", up, ({ started }) =>
    started.length === 0 ? "all of it was" : `${started.length} processes`,
  );

  steps.heading(`A customer, through the public API at ${addresses.edge}`);
  const customer = createCustomer(addresses.edge);
  const email = await becomeCustomer(steps, customer);
  const { sku, name } = await browse(steps, customer);
  const order = await placeOrder(steps, customer, sku, name);
  const traceId = customer.lastRequestId();
  await watchOrder(steps, customer, order);

  steps.heading("The confirmation e-mail");
  await steps.step(
    "arrives at the mail server",
    () => findMail(addresses, email, order.orderId),
    (subject) => `"${subject}"`,
  );

  steps.heading("The order's trace, from the spans that were exported");
  const spans = await steps.step(
    "has reached the collector",
    () => findTrace(addresses, traceId),
    (found) => `${found.length} spans`,
  );
  steps.show(drawWaterfall(spans));

  steps.heading("The events of the order");
  for (const { event, publisher, consumers } of eventFlows(spans)) {
    const to = consumers.length > 0 ? `handled by ${consumers.join(", ")}` : "";
    steps.show([`${event.padEnd(20)} published by ${publisher.padEnd(10)} ${to}`]);
  }

  steps.heading("What it takes");
  steps.show(stackTable(await up()).split("\n"));
  process.stdout.write(
    `\nOrder ${order.orderId} is confirmed and paid, its e-mail has arrived: ${((performance.now() - startedAt) / 1000).toFixed(1)} s.\n` +
      `The storefront is at ${addresses.edge}/ (a clerk's and a manager's part of it: README.md).\n` +
      "The stack goes on running: `make up` shows it, `make down` stops it, README.md has a tour of it.\n",
  );
}

async function becomeCustomer(steps: Steps, customer: Customer): Promise<string> {
  const email = `ada.${randomUUID().slice(0, 8)}@example.com`;
  const password = "correct horse battery";
  const register = () => customer.accounts.register({ email, password, displayName: "Ada Lovelace" });
  await steps.step("registers", register, ({ userId }) => `${email} is ${userId}`);
  await steps.step(
    "logs in",
    async () => {
      const { accessToken } = await customer.accounts.logIn({ email, password });
      customer.use(accessToken);
    },
    () => "an ES256 access token",
  );
  return email;
}

async function browse(steps: Steps, customer: Customer): Promise<{ sku: string; name: string }> {
  const page = await steps.step(
    "browses",
    () => customer.catalog.listProducts({ pageSize: 5 }),
    ({ products }) => products.map(({ sku }) => sku).join(", "),
  );
  const sku = page.products[0]?.sku ?? "";
  const { product } = await steps.step(
    "looks at a product",
    () => customer.catalog.getProduct({ sku }),
    ({ product: seen, available }) => `${seen?.name}, ${money(seen?.price)}, ${available} available`,
  );
  return { sku, name: product?.name ?? "" };
}

async function placeOrder(steps: Steps, customer: Customer, sku: string, name: string): Promise<Order> {
  const request = { idempotencyKey: randomUUID(), lines: [{ sku, quantity: 2 }], paymentMethod: "tok_visa" };
  return await steps.step(
    "places an order",
    async () => {
      const { order } = await customer.orders.placeOrder(request);
      if (order?.state !== OrderState.CONFIRMED) {
        throw new Error(
          `the order is ${order ? stateName(order.state) : "nowhere"}, not CONFIRMED; ${order?.cancelReason}`,
        );
      }
      return order;
    },
    ({ orderId, total }) => `2 x ${name}, ${money(total)}: ${orderId}`,
  );
}

async function watchOrder(steps: Steps, customer: Customer, { orderId }: Order): Promise<void> {
  const paid = await steps.step("watches it until it is paid", async () => {
    for await (const { order } of customer.orders.watchOrder({ orderId })) {
      if (order?.state === OrderState.PAID) return order;
      if (order?.state === OrderState.CANCELLED) throw new Error(`it was cancelled: ${order.cancelReason}`);
    }
    throw new Error("the stream ended before it was paid");
  });
  const [first] = paid.history;
  const at = (entry: typeof first) =>
    Number(entry?.enteredAt?.seconds ?? 0n) * 1e3 + (entry?.enteredAt?.nanos ?? 0) / 1e6;
  steps.show(
    paid.history.map((entry) => `${stateName(entry.state).padEnd(18)} +${Math.round(at(entry) - at(first))} ms`),
  );
}

async function findMail({ mail }: AddressBook, email: string, orderId: string): Promise<string> {
  return await waitFor("the e-mail's arrival", 15_000, async () => {
    const messages = (await (await fetch(`${mail}/messages`)).json()) as { to: string[]; subject: string }[];
    return messages.find(({ to, subject }) => to.includes(email) && subject.includes(orderId))?.subject;
  });
}

/** The trace once it shows each expected event with all who handle it. */
async function findTrace({ otlp }: AddressBook, traceId: string): Promise<ReceivedSpan[]> {
  let missing = "everything";
  const found = waitFor("the export of the trace", 15_000, async () => {
    const { spans } = (await (await fetch(`${otlp}/traces/${traceId}`)).json()) as { spans: ReceivedSpan[] };
    const flows = eventFlows(spans);
    const lacking = expectedFlows.filter(
      ({ event, publisher, consumers }) =>
        !flows.some(
          (flow) =>
            flow.event === event &&
            flow.publisher === publisher &&
            consumers.every((name) => flow.consumers.includes(name)),
        ),
    );
    missing = lacking.map(({ event, consumers }) => `${event} (${["published", ...consumers].join(", ")})`).join("; ");
    return lacking.length === 0 ? spans : undefined;
  });
  return await found.catch((cause: unknown) => {
    throw new Error(`trace ${traceId} lacks ${missing}`, { cause });
  });
}

function stateName(state: OrderState): string {
  return Object.entries(OrderState).find(([, value]) => value === state)?.[0] ?? String(state);
}

function money(amount: Money | undefined): string {
  return amount === undefined ? "?" : formatMoney(amount);
}

if (import.meta.main) {
  try {
    await demo();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`\nmake demo: ${error instanceof Error ? error.message : error}\n`);
    process.exit(1);
  }
}

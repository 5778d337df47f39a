import { setTimeout as pause } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import { runAs } from "@weft/mesh/context";
import { connect } from "nats";
import { type OrderState, OrderStateSchema } from "../../../../gen/shop/order/v1/order_pb.ts";
import { untilAtRest } from "./rest.ts";
import type { Command, OrderSpec, Round } from "./scenario.ts";
import type { Checkout } from "./shop.ts";

/** How a command was answered: with the order's state, or with an error. */
export interface Answer {
  readonly command: Command;
  readonly orderId: string;
  /** As the domain calls it: "PAID". */
  readonly state?: string;
  readonly error?: ConnectError;
}

export interface Customer {
  readonly userId: string;
  /** SKUs by the numbers of the products. */
  readonly skus: readonly string[];
  readonly orders: readonly OrderSpec[];
}

/** The key under which a customer places an order. */
export const keyOf = (order: number): string => `order-number-${order}`;

/** Gives all commands, and returns how those to orders were answered. */
export async function giveCommands(
  checkout: Checkout,
  customer: Customer,
  rounds: readonly Round[],
): Promise<Answer[]> {
  const answers: (Answer | undefined)[] = [];
  for (const { afterRest, commands } of rounds) {
    if (afterRest) await untilAtRest(checkout, customer.userId);
    const given = commands.map(async ({ afterMs, command }) => {
      await pause(afterMs);
      return await give(checkout, customer, command);
    });
    answers.push(...(await Promise.all(given)));
  }
  return answers.filter((answer) => answer !== undefined);
}

async function give(checkout: Checkout, customer: Customer, command: Command): Promise<Answer | undefined> {
  switch (command.kind) {
    case "fault":
      return void (await checkout.fault(command.fault));
    case "redeliver":
      return void (await redeliver(checkout, command.event));
    case "place":
      return await place(checkout, customer, command);
    default:
      return await change(checkout, customer, command);
  }
}

async function place(
  { orders }: Checkout,
  { userId, skus, orders: specs }: Customer,
  command: Command & { order: number },
) {
  const { lines = [], paymentMethod = "" } = specs[command.order] ?? {};
  const request = {
    idempotencyKey: keyOf(command.order),
    lines: lines.map(({ product, quantity }) => ({ sku: skus[product] ?? "", quantity })),
    paymentMethod,
  };
  const placed = runAs({ endUser: { userId, scopes: ["customer"] } }, () => orders.placeOrder(request));
  return await answerOf(command, "", placed);
}

/** What is done to an order that was placed; nothing if it was not, or not yet. */
async function change(
  checkout: Checkout,
  { userId }: Customer,
  command: Exclude<Command, { kind: "fault" | "redeliver" }>,
): Promise<Answer | undefined> {
  const [known] = await checkout.rows<{ order_id: string }>(
    "order",
    `SELECT CONVERT(answer USING ascii) AS order_id FROM weft_idempotency
     WHERE caller = ? AND method = 'shop.order.v1.OrderService/PlaceOrder' AND idempotency_key = ?`,
    [userId, keyOf(command.order)],
  );
  if (known === undefined) return undefined;
  const orderId = known.order_id;
  const as = <T>(scope: string, call: () => Promise<T>) => runAs({ endUser: { userId, scopes: [scope] } }, call);
  const { orders } = checkout;
  switch (command.kind) {
    case "cancel":
      return await answerOf(
        command,
        orderId,
        as("customer", () => orders.cancelOrder({ orderId })),
      );
    case "ship": {
      const { trackingNumber } = command;
      return await answerOf(
        command,
        orderId,
        as("warehouse", () => orders.shipOrder({ orderId, trackingNumber })),
      );
    }
    default:
      return await answerOf(
        command,
        orderId,
        as("warehouse", () => orders.deliverOrder({ orderId })),
      );
  }
}

async function answerOf(
  command: Command,
  orderId: string,
  call: Promise<{ order?: { orderId: string; state: OrderState } | undefined }>,
): Promise<Answer> {
  try {
    const { order } = await call;
    return {
      command,
      orderId: order?.orderId ?? orderId,
      state: OrderStateSchema.value[order?.state ?? 0]?.localName ?? "",
    };
  } catch (error) {
    return { command, orderId, error: ConnectError.from(error) };
  }
}

/** Publishes the latest event but so many of order's and payment's once more, past the stream's own look for duplicates. */
async function redeliver(checkout: Checkout, back: number): Promise<void> {
  interface Row {
    readonly subject: string;
    readonly envelope: Uint8Array;
  }
  const sql = "SELECT subject, envelope FROM weft_outbox WHERE published_at IS NOT NULL ORDER BY id DESC LIMIT 25";
  const events = [...(await checkout.rows<Row>("order", sql)), ...(await checkout.rows<Row>("payment", sql))];
  const event = events[back % events.length];
  if (event === undefined) return;
  const connection = await connect({ servers: checkout.mesh.nats.url });
  // Without a message id. What order hears of itself, payment and inventory hear again too.
  connection.publish(event.subject, event.envelope);
  await connection.flush();
  await connection.close();
}

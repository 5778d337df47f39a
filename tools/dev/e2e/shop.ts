import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mysql from "mysql2/promise";
import { inject } from "vitest";
import { type Customer, createCustomer } from "../demo/customer.ts";
import { databaseUrl } from "../engines/database.ts";
import type { LedgerEntry } from "../outside/ledger.ts";
import type { ReceivedSpan } from "../outside/otlp.ts";
import type { Environment } from "../stack/environment.ts";
import type { Topology } from "../stack/members.ts";
import { createStack, type Stack } from "../stack.ts";
// For the types that the global setup provides.
import type {} from "../testing/global-setup.ts";
import type { CaughtWebhook } from "../webhook-catcher.ts";

/** A mail as the catcher keeps it. */
export interface Mail {
  readonly message_id: string;
  readonly to: readonly string[];
  readonly subject: string;
}

/** The whole shop on free ports, with engines of its own. */
export interface Shop extends AsyncDisposable {
  readonly stack: Stack;
  /** Somebody who has registered and logged in. */
  customer(): Promise<Customer & { readonly email: string; readonly userId: string; readonly token: string }>;
  /** Rows of a service's schema, read directly. */
  rows<Row>(service: string, sql: string, params?: readonly (string | number)[]): Promise<Row[]>;
  mails(): Promise<Mail[]>;
  /** The text and push messages that the gateway has delivered. */
  webhooks(): Promise<CaughtWebhook[]>;
  ledger(): Promise<LedgerEntry[]>;
  /** Makes the payment provider misbehave. */
  fault(fault: Record<string, string | number>): Promise<void>;
  spans(traceId: string): Promise<ReceivedSpan[]>;
  /** The lines that a member has logged, parsed. */
  logs(member: string): Promise<Record<string, unknown>[]>;
}

export interface ShopOptions {
  /** Whether it has customers and orders of the last thirty days; not if left out. */
  readonly history?: boolean;
  /** Called before anything but the database has been started. */
  readonly onDatabase?: (stack: Stack) => Promise<void>;
}

/** Starts the shop. Disposing of it ends everything and leaves nothing. */
export async function startShop(
  topology: Topology,
  env: Environment = {},
  { history = false, onDatabase }: ShopOptions = {},
): Promise<Shop> {
  const directory = await mkdtemp(join(tmpdir(), "weft-e2e-"));
  const cacheDirectory = inject("weftCacheDirectory");
  const stack = await createStack({ directory, topology, cacheDirectory, env, history });
  const databases = new Map<string, mysql.Pool>();
  const dispose = async (): Promise<void> => {
    await Promise.all([...databases.values()].map((pool) => pool.end()));
    await stack.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    if (onDatabase !== undefined) {
      await stack.start("mariadb");
      await onDatabase(stack);
    }
    await stack.start();
  } catch (error) {
    await dispose();
    throw error;
  }

  const { addresses } = stack;
  const database = (service: string): mysql.Pool => {
    const { schemaPrefix, password } = addresses.database;
    const known = databases.get(service);
    const pool =
      known ?? mysql.createPool(databaseUrl(addresses.engines.mysql, `${schemaPrefix}_${service}`, password));
    databases.set(service, pool);
    return pool;
  };
  const provider = (path: string, init?: RequestInit): Promise<Response> => {
    const headers = { authorization: `Bearer ${addresses.paymentProvider.key}`, "content-type": "application/json" };
    return fetch(`${addresses.paymentProvider.url}${path}`, { ...init, headers });
  };

  return {
    stack,
    async customer() {
      const customer = createCustomer(addresses.edge);
      const email = `${randomUUID()}@example.com`;
      const { userId } = await customer.accounts.register({ email, password: "correct horse", displayName: "Ada" });
      const { accessToken } = await customer.accounts.logIn({ email, password: "correct horse" });
      customer.use(accessToken);
      return { ...customer, email, userId, token: accessToken };
    },
    async rows<Row>(service: string, sql: string, params: readonly (string | number)[] = []) {
      return (await database(service).query<mysql.RowDataPacket[]>(sql, [...params]))[0] as Row[];
    },
    async mails() {
      return (await (await fetch(`${addresses.mail}/messages`)).json()) as Mail[];
    },
    async webhooks() {
      return (await (await fetch(`${addresses.webhooks}/messages`)).json()) as CaughtWebhook[];
    },
    async ledger() {
      return ((await (await provider("/v1/ledger")).json()) as { entries: LedgerEntry[] }).entries;
    },
    async fault(fault) {
      const response = await provider("/v1/faults", { method: "POST", body: JSON.stringify(fault) });
      if (!response.ok) throw new Error(await response.text());
    },
    async spans(traceId) {
      const response = await fetch(`${addresses.otlp}/traces/${traceId}`);
      return ((await response.json()) as { spans: ReceivedSpan[] }).spans;
    },
    async logs(member) {
      const text = await readFile(join(directory, "logs", `${member}.log`), "utf8");
      return text.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
    },
    [Symbol.asyncDispose]: dispose,
  };
}

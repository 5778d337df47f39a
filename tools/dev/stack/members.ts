import { join } from "node:path";
import {
  type EnvironmentOptions,
  PROVIDER_KEY,
  serviceEnvironment,
  singleEnvironment,
  WEBHOOK_SECRET,
} from "./environment.ts";
import { accepts, isServing, isUp } from "./health.ts";
import type { MemberPlan } from "./member.ts";
import { SERVICE_NAMES, type StackPorts } from "./ports.ts";

/** `multi`: a process for each service. `single`: one process for all. */
export type Topology = "multi" | "single";

// A service drains for up to 20 s before it ends by itself.
const SERVICE_STOP_TIMEOUT_MS = 25_000;
const PARTY_STOP_TIMEOUT_MS = 3_000;

export interface MembersOptions {
  /** The stack's own folder. */
  readonly directory: string;
  readonly ports: StackPorts;
  /** What every child needs: PATH and the like. */
  readonly base: Readonly<Record<string, string>>;
}

/** The outside parties, each a process of its own. */
export function outsidePartyPlans({ directory, ports, base }: MembersOptions): MemberPlan[] {
  const party = (
    name: string,
    listening: Readonly<Record<string, number>>,
    httpPort: number,
    environment: Readonly<Record<string, string>>,
  ): MemberPlan => ({
    name,
    ports: listening,
    script: `tools/dev/${name}.ts`,
    environment: { ...base, ...environment },
    logFile: join(directory, "logs", `${name}.log`),
    stopTimeoutMs: PARTY_STOP_TIMEOUT_MS,
    probe: () => isUp(httpPort),
  });
  const { provider, smtp, mail, otlp, webhooks } = ports;
  return [
    party("payment-provider", { http: provider }, provider, {
      PROVIDER_PORT: String(provider),
      PROVIDER_KEY,
      PROVIDER_LEDGER: join(directory, "payment-provider", "ledger.jsonl"),
    }),
    party("mail-catcher", { smtp, http: mail }, mail, { SMTP_PORT: String(smtp), HTTP_PORT: String(mail) }),
    party("otlp-receiver", { http: otlp }, otlp, { OTLP_PORT: String(otlp) }),
    party("webhook-catcher", { http: webhooks }, webhooks, { HTTP_PORT: String(webhooks), WEBHOOK_SECRET }),
  ];
}

/** The services: a process each, or one for all. */
export function servicePlans(
  topology: Topology,
  { directory, ports, base }: MembersOptions,
  environment: EnvironmentOptions,
): MemberPlan[] {
  const plan = (name: string, script: string): Omit<MemberPlan, "ports" | "environment" | "probe"> => ({
    name,
    script,
    logFile: join(directory, "logs", `${name}.log`),
    stopTimeoutMs: SERVICE_STOP_TIMEOUT_MS,
  });
  if (topology === "multi") {
    return SERVICE_NAMES.map((name) => ({
      ...plan(name, `services/${name}/main.ts`),
      ports: { ...ports.services[name], ...(name === "edge" ? { public: ports.edge } : {}) },
      environment: { ...base, ...serviceEnvironment(name, environment) },
      // The edge is of use only when its public port takes connections.
      probe: async () => (await isServing(ports.services[name].health)) && (name !== "edge" || accepts(ports.edge)),
    }));
  }
  const listening = SERVICE_NAMES.flatMap((name) =>
    Object.entries(ports.services[name]).map(([what, port]) => [`${name} ${what}`, port] as const),
  );
  return [
    {
      ...plan("single", "services/single.ts"),
      ports: { ...Object.fromEntries(listening), public: ports.edge },
      environment: { ...base, ...singleEnvironment(environment) },
      async probe() {
        const serving = await Promise.all(SERVICE_NAMES.map((name) => isServing(ports.services[name].health)));
        return serving.every(Boolean) && accepts(ports.edge);
      },
    },
  ];
}

import type { ServiceImpl } from "@connectrpc/connect";
import { toDuration } from "../contract/errors.ts";
import { type AdminService, BreakerState } from "../gen/weft/admin/v1/admin_pb.ts";
import type { KnownOverride } from "../overrides/overrides.ts";
import type { BreakerStatus } from "../resilience/breaker.ts";
import { createOperatorCheck } from "./operator.ts";

export interface AdminOptions {
  readonly service: string;
  readonly trustDomain: string;
  readonly breakers: () => readonly BreakerStatus[];
  readonly overrides: () => readonly KnownOverride[];
}

const states = {
  closed: BreakerState.CLOSED,
  open: BreakerState.OPEN,
  "half-open": BreakerState.HALF_OPEN,
} as const;

/** What an operator asks a running service about itself (weft.admin.v1). Nobody else is let in. */
export function createAdmin(options: AdminOptions): Partial<ServiceImpl<typeof AdminService>> {
  const requireOperator = createOperatorCheck(options.trustDomain);
  return {
    getProcess() {
      requireOperator();
      const { user, system } = process.cpuUsage();
      const startedMs = Math.round(Date.now() - process.uptime() * 1000);
      return {
        service: options.service,
        pid: BigInt(process.pid),
        startedAt: toDuration(startedMs),
        residentBytes: BigInt(process.memoryUsage.rss()),
        cpuTime: toDuration((user + system) / 1000),
        nodeVersion: process.version,
      };
    },
    listOverrides() {
      requireOperator();
      const overrides = options.overrides().map(({ key, override, ignoredBecause = "" }) => ({
        ...{ key, ignoredBecause },
        ...(override && { override }),
      }));
      return { overrides };
    },
    listBreakers() {
      requireOperator();
      return { breakers: options.breakers().map((status) => ({ ...status, state: states[status.state] })) };
    },
  };
}

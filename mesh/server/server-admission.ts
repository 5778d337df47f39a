import { type Clock, systemClock } from "../contract/clock.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { AdaptiveAdmission } from "./adaptive-admission.ts";
import type { Admission } from "./admission.ts";

/** Where calls come in: a process may have both. */
export type Entrance = "mesh" | "public";

/** Creates the admission of one server, on the process's own event loop, with its metrics; it logs when calls begin to be refused. */
export function createServerAdmission(telemetry: Telemetry, entrance: Entrance, clock: Clock = systemClock): Admission {
  const { logger } = telemetry;
  const admission = new AdaptiveAdmission({
    clock,
    nextTurn: (fn) => void setImmediate(fn),
    every(ms, fn) {
      const timer = setInterval(fn, ms).unref();
      return () => clearInterval(timer);
    },
    onOverload(overloaded) {
      const { limit, inHand, waiting } = admission.load;
      const load = { entrance, limit, in_hand: inHand, waiting };
      if (overloaded) logger.warn("there is more to do than can be done: calls are refused", load);
      else logger.info("no calls are refused any more", load);
    },
  });
  publish(telemetry, entrance, admission);
  return admission;
}

function publish({ meter }: Telemetry, entrance: Entrance, admission: AdaptiveAdmission): void {
  const gauge = (name: string, description: string, of: () => number): void =>
    meter
      .createObservableGauge(`weft.server.${name}`, { description })
      .addCallback((result) => result.observe(of(), { entrance }));
  gauge("concurrency_limit", "Unary calls that are worked on at a time, at most", () => admission.load.limit);
  gauge("concurrent_calls", "Unary calls that are worked on", () => admission.load.inHand);
  gauge("waiting_calls", "Unary calls that wait for their turn", () => admission.load.waiting);
  meter
    .createObservableCounter("weft.server.refused_calls", { description: "Calls refused for want of room" })
    .addCallback((result) => {
      for (const [criticality, causes] of Object.entries(admission.load.refused)) {
        for (const [cause, count] of Object.entries(causes)) {
          if (count > 0) result.observe(count, { entrance, criticality, cause });
        }
      }
    });
}

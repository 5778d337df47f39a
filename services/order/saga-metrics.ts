import type { SagaStatus } from "@weft/mesh/server";
import type { Telemetry } from "@weft/mesh/telemetry";
import type { OrderState } from "./domain.ts";

/** Those in which a saga has something to do, or waits for somebody. */
const states: readonly OrderState[] = ["PLACED", "RESERVED", "AWAITING_PAYMENT", "CONFIRMED", "CANCELLED"];

/** Shows how many sagas do not get on, by the state of their orders; read when the metrics are collected. */
export function measureStuckSagas(
  { meter }: Pick<Telemetry, "meter">,
  listStuck: () => Promise<readonly SagaStatus[]>,
): void {
  const gauge = meter.createObservableGauge("shop.order.sagas.stuck", { description: "Sagas that do not get on" });
  gauge.addCallback(async (result) => {
    // With the database away there is nothing to say, and its own metrics say so.
    const stuck = await listStuck().catch(() => undefined);
    if (stuck === undefined) return;
    for (const state of states) {
      result.observe(stuck.filter((saga) => saga.state === state).length, { state });
    }
  });
}

import { type HttpServer, parseJson, Refusal, serveHttp } from "../../dev/outside/http.ts";
import type { KillAction, KillPoint, KillPoints } from "./kill-points.ts";

const actions: readonly KillAction[] = ["kill", "freeze", "throw", "hold"];

/**
 * The harness's way to a process's kill points, on 127.0.0.1: `POST /arm` a kill point, `DELETE /arm` takes all back, `GET /arm` says
 * what is armed.
 */
export function serveControl(port: number, points: Pick<KillPoints, "arm" | "disarm" | "armed">): Promise<HttpServer> {
  return serveHttp({
    port,
    bodyBytesMax: 4_096,
    async handle({ method, path, body }) {
      if (path !== "/arm") throw new Refusal(404, "not_found", `nothing at ${method} ${path}`);
      if (method === "POST") points.arm(killPointOf(parseJson(body)));
      if (method === "DELETE") points.disarm();
      return { status: 200, body: { armed: points.armed() } };
    },
  });
}

function killPointOf(value: unknown): KillPoint {
  const { when, statement, nth = 1, action, holdMs } = value as Partial<Record<keyof KillPoint, unknown>>;
  const known = actions.find((each) => each === action);
  if (known === undefined) throw new Refusal(400, "invalid_request", `action must be one of ${actions.join(", ")}`);
  if (when !== "before" && when !== "after") throw new Refusal(400, "invalid_request", "when must be before or after");
  if (typeof statement !== "string" || statement === "")
    throw new Refusal(400, "invalid_request", "statement is missing");
  if (!isCount(nth)) throw new Refusal(400, "invalid_request", "nth must be an integer from 1");
  if (holdMs !== undefined && !isCount(holdMs)) throw new Refusal(400, "invalid_request", "holdMs must be an integer");
  return { when, statement, nth, action: known, ...(holdMs !== undefined && { holdMs }) };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}

const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * The deadline that an outside caller asks for, in milliseconds since the epoch; Infinity if it names none.
 *
 * @see https://connectrpc.com/docs/protocol (Connect-Timeout-Ms), gRPC over HTTP/2 (grpc-timeout)
 */
export function requestDeadlineMs(headers: Headers, nowMs: number): number {
  const connect = headers.get("connect-timeout-ms");
  if (connect !== null && /^\d{1,10}$/.test(connect)) return nowMs + Number(connect);
  const grpc = /^(\d{1,8})([HMSmun])$/.exec(headers.get("grpc-timeout") ?? "");
  const unitMs = unitsMs[grpc?.[2] ?? ""];
  return grpc && unitMs !== undefined ? nowMs + Number(grpc[1]) * unitMs : Number.POSITIVE_INFINITY;
}

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatOperator, operatorHeader } from "../context/operator-header.ts";
import { errorReason } from "../contract/errors.ts";
import { AuditService } from "../gen/weft/admin/v1/audit_pb.ts";
import { SagaService } from "../gen/weft/admin/v1/sagas_pb.ts";
import { rememberingAudit } from "../testing/audit.ts";
import { echoRoutes } from "../testing/echo.ts";
import { failure } from "../testing/outcome.ts";
import { rememberedSagas } from "../testing/sagas.ts";
import { createWorld, type World } from "../testing/world.ts";

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

async function serve() {
  const audit = rememberingAudit(world.telemetry("audit"));
  await world.serve("shop", echoRoutes(), { operations: { audit, sagas: rememberedSagas } });
  const clientsOf = async (name: string) => {
    const transport = (await world.mesh(name)).transport("shop");
    return { sagas: createClient(SagaService, transport), audit: createClient(AuditService, transport) };
  };
  return { audit, operator: await clientsOf("operator"), clientsOf };
}

describe("an operator", () => {
  test("lists sagas, page after page; a token of another list is refused", async () => {
    const { operator } = await serve();
    const first = await operator.sagas.listSagas({ pageSize: 2 });
    expect(first.sagas.map(({ sagaId }) => sagaId)).toEqual(["stuck-0", "stuck-1"]);
    const second = await operator.sagas.listSagas({ pageSize: 2, pageToken: first.nextPageToken });
    expect([second.sagas[0]?.sagaId, second.nextPageToken]).toEqual(["stuck-2", ""]);
    const error = await failure(operator.sagas.listSagas({ all: true, pageToken: first.nextPageToken }));
    expect([error.code, errorReason(error)]).toEqual([Code.InvalidArgument, "PAGE_TOKEN_INVALID"]);
  });

  test("reads one saga with its steps; one that is not there is NOT_FOUND", async () => {
    const { operator } = await serve();
    expect(await operator.sagas.getSaga({ sagaId: "ord_1" })).toMatchObject({
      saga: { sagaId: "ord_1", state: "RESERVED", attempts: 12, stuckBecause: "tried 12 times" },
      steps: [{ name: "OrderPlaced" }],
    });
    for (const call of [operator.sagas.getSaga, operator.sagas.retrySaga]) {
      const error = await failure(call({ sagaId: "none" }));
      expect([error.code, errorReason(error)]).toEqual([Code.NotFound, "SAGA_NOT_FOUND"]);
    }
  });

  test("is in the audit with what he did, why, and what became of it", async () => {
    const { operator, audit } = await serve();
    const headers = { [operatorHeader]: formatOperator("Ada Łovelace") };
    await operator.sagas.retrySaga({ sagaId: "ord_1" }, { headers });
    await operator.sagas.compensateSaga({ sagaId: "ord_2", reason: "customer called" }, { headers });
    await failure(operator.sagas.compensateSaga({ sagaId: "paid", reason: "customer called" }));
    await failure(operator.sagas.compensateSaga({ sagaId: "ord_3", reason: "" }));
    const who = { peer: "spiffe://test.local/operator", claimedOperator: "Ada Łovelace" };
    const { entries } = await operator.audit.listAudit({});
    expect(entries).toMatchObject([
      { action: "CompensateSaga", target: "paid", failed: true, outcome: "FailedPrecondition: it is paid" },
      { ...who, action: "CompensateSaga", target: "ord_2", reason: "customer called", outcome: "CANCELLED, finished" },
      { ...who, action: "RetrySaga", target: "ord_1", outcome: "RESERVED, next: authorize", failed: false },
    ]);
    expect(audit.entries.map(({ traceId }) => traceId)).toEqual(Array(3).fill(expect.stringMatching(/^[0-9a-f]{32}$/)));
  });

  test("pages through the audit", async () => {
    const { operator } = await serve();
    for (const sagaId of ["a", "b", "c"]) await operator.sagas.retrySaga({ sagaId });
    const first = await operator.audit.listAudit({ pageSize: 2 });
    expect(first.entries.map(({ target }) => target)).toEqual(["c", "b"]);
    const second = await operator.audit.listAudit({ pageSize: 2, pageToken: first.nextPageToken });
    expect([second.entries.map(({ target }) => target), second.nextPageToken]).toEqual([["a"], ""]);
  });
});

test("nobody else is let in, nor leaves a trace in the audit", async () => {
  const { clientsOf, audit } = await serve();
  const other = await clientsOf("order");
  const calls = [
    () => other.sagas.listSagas({}),
    () => other.sagas.getSaga({ sagaId: "ord_1" }),
    () => other.sagas.retrySaga({ sagaId: "ord_1" }),
    () => other.sagas.compensateSaga({ sagaId: "ord_1", reason: "because" }),
    () => other.audit.listAudit({}),
  ];
  for (const call of calls) {
    const error = await failure(call());
    expect([error.code, errorReason(error)]).toEqual([Code.PermissionDenied, "OPERATOR_ONLY"]);
  }
  expect(audit.entries).toEqual([]);
});

test("a service without sagas and without a schema has neither", async () => {
  await world.serve("shop", echoRoutes());
  const transport = (await world.mesh("operator")).transport("shop");
  expect((await failure(createClient(SagaService, transport).listSagas({}))).code).toBe(Code.Unimplemented);
  expect(await failure(createClient(AuditService, transport).listAudit({}))).toBeInstanceOf(ConnectError);
});

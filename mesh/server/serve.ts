import type { DescFile } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { ServerCredentials } from "@grpc/grpc-js";
import type { Mesh } from "../client/mesh.ts";
import type { DeadLetters } from "../contract/dead-letters.ts";
import type { Registry } from "../contract/discovery.ts";
import type { EventOperations } from "../contract/event-operations.ts";
import { formatAddress } from "../contract/settings.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { AdminService } from "../gen/weft/admin/v1/admin_pb.ts";
import { AuditService } from "../gen/weft/admin/v1/audit_pb.ts";
import { DeadLetterService } from "../gen/weft/admin/v1/dead_letters_pb.ts";
import { EventService } from "../gen/weft/admin/v1/events_pb.ts";
import { SagaService } from "../gen/weft/admin/v1/sagas_pb.ts";
import type { Credentials } from "../security/credentials.ts";
import type { Audit } from "../telemetry/audit.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createAdmin } from "./admin.ts";
import { createAuditAdmin } from "./admin-audit.ts";
import { createDeadLetterAdmin } from "./admin-dead-letters.ts";
import { createEventAdmin } from "./admin-events.ts";
import { createSagaAdmin, type SagaAdmin } from "./admin-sagas.ts";
import type { ServerConfig } from "./config.ts";
import { listenGrpc } from "./grpc-listener.ts";
import { createGrpcServer } from "./grpc-server.ts";
import { createHealth } from "./health.ts";
import { createInProcessServer } from "./in-process-server.ts";
import { createOperatorCheck } from "./operator.ts";
import { createPeerReader } from "./peer.ts";
import { type Authorize, createServerPipeline } from "./pipeline.ts";
import { mountReflection } from "./reflection.ts";
import { createRequestValidation } from "./request-validation.ts";
import { collectRoutes, servicesOf } from "./routes.ts";
import { createServerAdmission } from "./server-admission.ts";
import { createTunnelServer } from "./tunnel-server.ts";

/** How long calls in hand may take to end once the server drains; then they are cut off. */
const drainTimeoutMs = 10_000;

export interface ServeOptions {
  /** The service's name on the mesh: "order". */
  readonly service: string;
  readonly config: ServerConfig;
  /** Mounts the service's methods, as for Connect's own adapters. */
  readonly routes: (router: ConnectRouter) => void;
  readonly credentials: Credentials;
  readonly telemetry: Telemetry;
  /** May refuse any call, beside what the contract asks for. */
  readonly authorize?: Authorize;
  /** Files that reflection serves beside those of the methods: the service's events. */
  readonly describes?: readonly DescFile[];
  /** Where others find this instance; left out: somebody else says where it is. */
  readonly discovery?: Registry;
  /** The service's own client side, for the admin API. */
  readonly mesh?: Mesh;
  /** What operators can see and do here beside asking for process and breakers. */
  readonly operations?: Operations;
}

/** What a service offers its operators; each part is served if it is there. */
export interface Operations {
  /** Where each action is written down. Without `list` it can be read in the log only. */
  readonly audit: Pick<Audit, "audited"> & Partial<Audit>;
  readonly deadLetters?: DeadLetters;
  readonly sagas?: SagaAdmin;
  /** Of a service that keeps events, or tables made of them: createEventOperations() of @weft/mesh/events. */
  readonly events?: EventOperations;
}

/** A server that takes calls until it is disposed of: it then drains. */
export interface RunningServer extends AsyncDisposable {
  /** The port it listens on, which differs from the configured one only if that is 0. */
  readonly port: number;
}

/**
 * Serves methods to the mesh: mutual TLS, health, reflection and the admin API beside them, the in-process way where several
 * services share a process, probes on a plaintext port and metrics on another.
 *
 * @throws ContractError if an option makes no sense; Error naming the address that is taken
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { service, config, telemetry, credentials, mesh } = options;
  await using resources = new AsyncDisposableStack();

  const own = collectRoutes(options.routes);
  const names = new Set(servicesOf(own).map((descriptor) => descriptor.typeName));
  const health = createHealth(names);
  const admin = createAdmin({
    service,
    trustDomain: credentials.trustDomain,
    breakers: () => mesh?.breakers() ?? [],
    overrides: () => mesh?.overrides() ?? [],
  });
  const probed = collectRoutes((router) => router.service(Health, health.service));
  const operated = collectRoutes((router) => {
    router.service(AdminService, admin);
    mountOperations(router, options.operations, createOperatorCheck(credentials.trustDomain));
  });
  const reflected = collectRoutes((router) =>
    mountReflection(router, [...servicesOf(own), Health, ...servicesOf(operated)], options.describes),
  );
  const validate = createRequestValidation([...own.values()].map((route) => route.method));
  const admission = createServerAdmission(telemetry, "mesh");
  const pipeline = createServerPipeline({ telemetry, validate, admission, authorize: options.authorize });
  const peerOf = createPeerReader(credentials.trustDomain);

  resources.use(await telemetry.serveMetrics(config.metricsAddress, "WEFT_METRICS_ADDR"));
  const probes = createGrpcServer({ routes: probed, pipeline });
  const insecure = ServerCredentials.createInsecure();
  const probesListener = await listenGrpc(probes, config.healthAddress, insecure, "WEFT_HEALTH_ADDR");
  resources.use(probesListener);
  const routes = new Map([...own, ...probed, ...operated, ...reflected]);
  const tunnels = createTunnelServer({ routes, pipeline, peerOf, meter: telemetry.meter });
  const server = createGrpcServer({ routes, pipeline, peerOf, tunnels });
  const listener = await listenGrpc(server, config.grpcAddress, credentials.forServer(), "WEFT_GRPC_ADDR");
  resources.use(listener);
  if (config.inProcess) resources.use(config.inProcess.add(service, createInProcessServer(own, pipeline)));
  resources.defer(() => pipeline.drain(drainTimeoutMs));
  resources.defer(() => tunnels.drain());
  resources.defer(() => health.drain());
  // Last, so that a drain begins with it: who knows of it elsewhere calls no more.
  const { host = config.grpcAddress.host, ...labels } = config.instance ?? {};
  const instance = { address: formatAddress({ host, port: listener.port }), ...labels };
  if (options.discovery) resources.use(options.discovery.register(service, instance));
  telemetry.logger.info("serving", { port: listener.port, health_port: probesListener.port, services: [...names] });

  const running = resources.move();
  return { port: listener.port, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function mountOperations(router: ConnectRouter, operations: Operations | undefined, requireOperator: () => void): void {
  if (operations === undefined) return;
  const { audit, deadLetters, events, sagas } = operations;
  const { audited, list } = audit;
  if (list) router.service(AuditService, createAuditAdmin({ list }, requireOperator));
  if (deadLetters) router.service(DeadLetterService, createDeadLetterAdmin(deadLetters, audited, requireOperator));
  if (events) router.service(EventService, createEventAdmin(events, audited, requireOperator));
  if (sagas) router.service(SagaService, createSagaAdmin(sagas, audited, requireOperator));
}

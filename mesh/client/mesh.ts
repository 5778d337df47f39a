import type { Transport } from "@connectrpc/connect";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import type { Discovery, Resolver } from "../contract/discovery.ts";
import { createOverrides, type KnownOverride } from "../overrides/overrides.ts";
import type { BreakerState, BreakerStatus } from "../resilience/breaker.ts";
import { createRetryBudget, type RetryBudget } from "../resilience/retry-budget.ts";
import type { Credentials } from "../security/credentials.ts";
import type { InProcessNetwork } from "../server/in-process-network.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createCalledMethods } from "./called-method.ts";
import { createEdgeSettings, createOverriding, type EdgeSettings, type TransportChoice } from "./edge-settings.ts";
import type { Connect } from "./endpoint.ts";
import { createFaultyConnector } from "./faulty-connector.ts";
import { createInProcessConnector } from "./in-process-connector.ts";
import { createClientObservers } from "./observe.ts";
import { createRemoteConnector } from "./remote-connector.ts";
import { seatOf } from "./subset.ts";
import { createTarget, type Target } from "./target.ts";
import { createMeshTransport } from "./transport.ts";

export interface MeshOptions {
  /** The calling service's name. */
  readonly service: string;
  readonly credentials: Credentials;
  /** Where the services that are called are found. */
  readonly discovery: Resolver & Pick<Discovery, "overrides">;
  readonly telemetry: Telemetry;
  /** The services of this process: called without a socket. */
  readonly inProcess?: InProcessNetwork | undefined;
  /** Whether operators may have faults injected into this process's calls. */
  readonly faultsAllowed?: boolean | undefined;
  /** How unary calls leave to services whose edge says nothing else. */
  readonly transport?: TransportChoice | undefined;
  /** Where this process runs: instances of the same zone are preferred. */
  readonly zone?: string | undefined;
  /** The address by which others know this process: its place among its like, which call the same services. By chance if left out. */
  readonly instance?: string | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A service's way to call others. */
export interface Mesh extends Disposable {
  /**
   * Connect's Transport to a service, for createClient(InventoryService, mesh.transport("inventory")).
   *
   * @throws Error if the service cannot be found by what this process is told
   */
  transport(service: string): Transport;
  /** What can be changed of the calls to a service while they run. */
  edge(service: string): EdgeSettings;
  breakers(): BreakerStatus[];
  /** The runtime overrides that this process was told of. */
  overrides(): KnownOverride[];
}

/** Creates the client side of the mesh. Connections are opened by the first call. */
export function createMesh(options: MeshOptions): Mesh {
  const { credentials, telemetry, inProcess, clock = systemClock, random = Math.random } = options;
  const targets = new Map<string, Target>();
  const transports = new Map<string, Transport>();
  const edges = new Map<string, EdgeSettings>();
  const observerOf = createClientObservers(telemetry);
  const watches = new DisposableStack();
  const name = options.instance ?? `${options.service} ${random()}`;
  let seat = seatOf(name);
  const breakers = (): BreakerStatus[] => [...targets.values()].flatMap((target) => target.breakers());
  const budgets = new Map<string, RetryBudget>();
  watchBreakers(telemetry, breakers);
  watchBudgets(telemetry, budgets);

  const edge = (service: string): EdgeSettings => {
    const settings = edges.get(service) ?? createEdgeSettings(options.transport);
    edges.set(service, settings);
    return settings;
  };
  const connectorsOf = (service: string): Connect => {
    const faulty = { edge: edge(service), clock, random };
    if (inProcess) {
      return () => createFaultyConnector(createInProcessConnector(inProcess, service, credentials.id, clock), faulty);
    }
    const channelCredentials = credentials.forClient(service);
    const remote = { service, credentials: channelCredentials, edge: edge(service), clock, random };
    return ({ address }, onDraining) => {
      return createFaultyConnector(createRemoteConnector({ ...remote, address, onDraining }), faulty);
    };
  };
  const open = (service: string): Transport => {
    const target = createTarget({
      name: service,
      edge: edge(service),
      connect: connectorsOf(service),
      seat: () => seat,
      zone: options.zone,
      clock,
      random,
      onBreakerChange(status) {
        const level = status.state === "open" ? "warn" : "info";
        telemetry.logger[level](`breaker ${status.state}`, { ...status });
      },
      onEjection(endpoint, ejected) {
        const fields = { target: service, endpoint };
        if (ejected) telemetry.logger.warn("endpoint ejected: it fails more than the others", fields);
        else telemetry.logger.info("endpoint taken back", fields);
      },
    });
    if (inProcess) target.update([{ address: "in-process" }]);
    else watches.use(options.discovery.watch(service, target.update));
    targets.set(service, target);
    const observer = observerOf(service);
    const budget = createRetryBudget(clock);
    budgets.set(service, budget);
    const methods = createCalledMethods(observer.durationsOf, clock);
    return createMeshTransport({ target, budget, observer, clock, random }, methods);
  };

  if (!inProcess && options.instance !== undefined) {
    const peers = watchPeers(options.discovery, options.service, (addresses) => {
      seat = seatOf(name, addresses);
      for (const target of targets.values()) target.reseat();
    });
    watches.use(peers);
  }
  const { faultsAllowed = false } = options;
  const source = options.discovery.overrides;
  const apply = createOverriding(edge);
  const told = { service: options.service, credentials, telemetry, clock, faultsAllowed, apply };
  const overrides = source && watches.use(createOverrides({ ...told, source }));

  return {
    transport(service) {
      const transport = transports.get(service) ?? open(service);
      transports.set(service, transport);
      return transport;
    },
    edge,
    breakers,
    overrides: () => overrides?.known() ?? [],
    [Symbol.dispose]() {
      watches.dispose();
      for (const target of targets.values()) target.close();
    },
  };
}

/** Follows who else there is of this service. A source that does not know it tells nothing. */
function watchPeers(discovery: Resolver, service: string, onPeers: (addresses: string[]) => void): Disposable {
  try {
    return discovery.watch(service, (instances) => onPeers(instances.map(({ address }) => address)));
  } catch {
    return { [Symbol.dispose]: () => undefined };
  }
}

const gaugeValues: Record<BreakerState, number> = { closed: 0, "half-open": 1, open: 2 };

function watchBreakers(telemetry: Telemetry, breakers: () => BreakerStatus[]): void {
  telemetry.meter
    .createObservableGauge("weft.client.breaker.state", { description: "0 closed, 1 half-open, 2 open" })
    .addCallback((result) => {
      for (const { target, endpoint, method, state } of breakers()) {
        result.observe(gaugeValues[state], {
          "server.address": target,
          "weft.endpoint": endpoint,
          "rpc.method": method,
        });
      }
    });
}

function watchBudgets(telemetry: Telemetry, budgets: ReadonlyMap<string, RetryBudget>): void {
  telemetry.meter
    .createObservableGauge("weft.client.retry_budget", { description: "Retries and hedges that could be made now" })
    .addCallback((result) => {
      for (const [target, { balance }] of budgets) result.observe(balance, { "server.address": target });
    });
}

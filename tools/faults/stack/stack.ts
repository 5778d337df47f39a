import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TransportChoice } from "../../../mesh/client/edge-settings.ts";
import { ensureTokenKey, openCertificateAuthority } from "../../dev/certificates.ts";
import { createDatabaseAndUser, databaseUrl } from "../../dev/engines/database.ts";
import { ENGINE_NAMES, type EngineName } from "../../dev/engines/engine.ts";
import { createEngines, type Engines, prepareEngines } from "../../dev/engines/engines.ts";
import { type AddressBook, addressBook } from "../../dev/stack/address-book.ts";
import { engineMember } from "../../dev/stack/engine-member.ts";
import { DATABASE_PASSWORD, type Environment, SCHEMA_OWNERS, TRUST_DOMAIN } from "../../dev/stack/environment.ts";
import { accepts, isServing } from "../../dev/stack/health.ts";
import { createMember, type Member } from "../../dev/stack/member.ts";
import { outsidePartyPlans } from "../../dev/stack/members.ts";
import { freePorts, SERVICE_NAMES, type StackPorts } from "../../dev/stack/ports.ts";
import { runSeed } from "../../dev/stack/run-seed.ts";
import { hitsFileOf, instanceEnvironment } from "./environment.ts";
import { createNextPort, type Instance, layOutInstances } from "./instances.ts";
import { type Links, startLinks } from "./links.ts";
import { canMount, mountNatsDisk, unmountNatsDisk } from "./small-disk.ts";

export interface FaultStackOptions {
  /** Everything the stack keeps. Absolute. */
  readonly directory: string;
  /** Shared by stacks: MariaDB's template, compiled code. */
  readonly cacheDirectory: string;
  /** What the services are started with: names of `mutations/`. */
  readonly mutations?: readonly string[];
  /** How calls between services leave; "auto" if left out. */
  readonly transport?: TransportChoice;
  readonly say?: (line: string) => void;
}

/** A whole shop of real processes in which every connection goes over a link of this process. */
export interface FaultStack extends AsyncDisposable {
  readonly directory: string;
  /** The real ones, behind the links. */
  readonly addresses: AddressBook;
  readonly links: Links;
  readonly engines: Engines;
  readonly instances: readonly Instance[];
  /** Where instances write the kill points that they reach. */
  readonly hitsFile: string;
  /** Where clients find the edge. */
  readonly edgeUrl: string;
  /** An engine, an outside party or an instance ("order-2"). @throws Error if there is none of that name */
  member(name: string): Member;
  /** All but the outside parties, engines first. */
  readonly names: readonly string[];
  /** Starts what does not run, engines first. Answers with the names of what it started. */
  startAll(): Promise<string[]>;
}

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const INHERITED = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER"];
/** A service drains for up to 20 s. */
const STOP_TIMEOUT_MS = 25_000;

/** Starts a stack with the demo's products; resolves when all is healthy. */
export async function startFaultStack(options: FaultStackOptions): Promise<FaultStack> {
  const { directory, cacheDirectory, say = () => undefined } = options;
  const ports = await freePorts();
  await using started = new AsyncDisposableStack();
  const engines = createEngines({
    ...{ directory: join(directory, "engines"), logDirectory: join(directory, "logs"), ports: ports.engines },
    ...{ cacheDirectory, say },
  });
  if (canMount()) {
    mountNatsDisk(join(directory, "engines"));
    started.defer(() => unmountNatsDisk(join(directory, "engines")));
  }
  started.use(engines);
  const next = createNextPort(ports);
  const instances = await layOutInstances(ports, next);
  const links = started.use(await startLinks(ports, instances, next));
  const base = baseEnvironment(cacheDirectory);
  const engineMembers = ENGINE_NAMES.map((name) => engineMember(engines, name, ports.engines[name]));
  const parties = outsidePartyPlans({ directory, ports, base })
    .filter(({ name }) => name !== "otlp-receiver")
    .map((plan) => createMember(plan, REPOSITORY));
  started.defer(() => stopAll(parties));

  await prepareEngines(engines, say);
  await Promise.all(engineMembers.map((each) => each.start()));
  const certDirectory = join(directory, "certs");
  const tokenKeyFile = join(directory, "token-key.pem");
  await issueCertificates(certDirectory);
  await ensureTokenKey(tokenKeyFile);
  for (const name of SCHEMA_OWNERS) await createDatabaseAndUser(engines.mysqlUrl, `shop_${name}`, DATABASE_PASSWORD);

  const services = instances.map((instance) =>
    instanceMember(instance, {
      ...{ directory, ports, base, mutations: options.mutations ?? [] },
      environment: instanceEnvironment(instance, {
        ...{ directory, ports, links, tokenKeyFile, mysqlUrl: engines.mysqlUrl },
        transport: options.transport ?? "auto",
      }),
    }),
  );
  started.defer(() => stopAll(services));
  const startGroup = async (group: readonly Member[]): Promise<string[]> => {
    const down = group.filter((each) => !each.isRunning());
    await Promise.all(group.map((each) => each.start()));
    return down.map((each) => each.name);
  };
  const startAll = async (): Promise<string[]> => [
    ...(await startGroup(engineMembers)),
    ...(await startGroup(parties)),
    ...(await startGroup(services)),
  ];
  await startAll();
  const mysqlUrls = new Map(
    SCHEMA_OWNERS.map((name) => [name, databaseUrl(engines.mysqlUrl, `shop_${name}`, DATABASE_PASSWORD)] as const),
  );
  await runSeed({ directory, base, mysqlUrls, provider: undefined, cwd: REPOSITORY });
  say(`${instances.length} instances of ${SERVICE_NAMES.length} services, ${links.all.length} links`);

  const members = [...engineMembers, ...parties, ...services];
  const resources = started.move();
  return {
    ...{ directory, links, engines, instances, startAll, hitsFile: hitsFileOf(directory) },
    addresses: addressBook({ ports, directory, topology: "multi", engines, schemaPrefix: "shop" }),
    edgeUrl: `http://127.0.0.1:${links.get("client>edge").port}`,
    names: [...engineMembers, ...services].map(({ name }) => name),
    member(name) {
      const found = members.find((each) => each.name === name);
      if (found === undefined) throw new Error(`no "${name}": ${members.map((each) => each.name).join(", ")}`);
      return found;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Whether a name is an engine's. */
export function isEngine(name: string): name is EngineName {
  return (ENGINE_NAMES as readonly string[]).includes(name);
}

async function issueCertificates(directory: string): Promise<void> {
  const authority = await openCertificateAuthority({ directory, trustDomain: TRUST_DOMAIN });
  for (const name of [...SERVICE_NAMES, "operator"]) await authority.ensure(name);
}

interface InstanceMemberOptions {
  readonly directory: string;
  readonly ports: StackPorts;
  readonly base: Environment;
  readonly environment: Environment;
  readonly mutations: readonly string[];
}

function instanceMember(instance: Instance, options: InstanceMemberOptions): Member {
  const { name, service, grpc, health, metrics, control } = instance;
  const isEdge = service === "edge";
  return createMember(
    {
      name,
      ports: { grpc, health, metrics, control, ...(isEdge ? { public: options.ports.edge } : {}) },
      script: "tools/faults/service.ts",
      args: [service, ...options.mutations.flatMap((mutation) => ["--mutation", mutation])],
      environment: { ...options.base, ...options.environment },
      logFile: join(options.directory, "logs", `${name}.log`),
      stopTimeoutMs: STOP_TIMEOUT_MS,
      probe: async () => (await isServing(health)) && (!isEdge || accepts(options.ports.edge)),
    },
    REPOSITORY,
  );
}

async function stopAll(members: readonly Member[]): Promise<void> {
  await Promise.all(members.map((each) => each.stop()));
}

function baseEnvironment(cacheDirectory: string): Environment {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(inherited), NODE_COMPILE_CACHE: join(cacheDirectory, "node") };
}

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureTokenKey, openCertificateAuthority } from "./certificates.ts";
import { createDatabaseAndUser, databaseUrl } from "./engines/database.ts";
import { ENGINE_NAMES } from "./engines/engine.ts";
import { createEngines, type Engines, type ExternalEngineUrls, prepareEngines } from "./engines/engines.ts";
import { writeWhole } from "./processes/files.ts";
import { type AddressBook, addressBook } from "./stack/address-book.ts";
import { buildStorefront } from "./stack/build-storefront.ts";
import { engineMember } from "./stack/engine-member.ts";
import { DATABASE_PASSWORD, type Environment, SCHEMA_OWNERS, TRUST_DOMAIN } from "./stack/environment.ts";
import { createMember, type Member, type MemberStatus } from "./stack/member.ts";
import { outsidePartyPlans, servicePlans, type Topology } from "./stack/members.ts";
import { assertPortsFree } from "./stack/port-conflict.ts";
import { freePorts, type ListeningPort, SERVICE_NAMES, type StackPorts } from "./stack/ports.ts";
import { runSeed } from "./stack/run-seed.ts";

export interface StackOptions {
  /** Everything the stack keeps: data, logs, certificates, `stack.json`. Absolute. */
  readonly directory: string;
  /** `portsFromBase(7000, 8080)`; free ones if left out. */
  readonly ports?: StackPorts;
  /** `multi` (a process for each service) if left out. */
  readonly topology?: Topology;
  /** Running ones, which the stack uses and leaves alone; engines of its own if left out. */
  readonly engines?: Engines;
  /** URLs of engines that somebody else runs; ignored when `engines` is given. */
  readonly engineUrls?: ExternalEngineUrls;
  /** Schemas and database users are named `<prefix>_<service>`; `shop` if left out. */
  readonly schemaPrefix?: string;
  /** Whether a shop without orders gets customers and orders of the last thirty days; not if left out: it takes seconds. */
  readonly history?: boolean;
  /** Goes into the environment of every service; with a service's prefix (`ORDER__LOG_LEVEL`) into that one's alone. */
  readonly env?: Environment;
  /** Shared by many stacks: MariaDB's template, compiled code. `<directory>/cache` if left out. */
  readonly cacheDirectory?: string;
  /** Told in a line each what is being done. */
  readonly say?: (line: string) => void;
}

/**
 * The whole shop on this machine: engines, outside parties and services, each a child process that dies with this one.
 *
 * Members are called `mariadb`, `nats`, `redis`, `payment-provider`, `mail-catcher`, `otlp-receiver`, `webhook-catcher`, and after
 * the services (`edge`, `order`, ...), or `single` where they share a process.
 */
export interface Stack extends AsyncDisposable {
  readonly addresses: AddressBook;
  /**
   * Starts what does not run, or one member; returns the names of what it started, once all is healthy. Nothing is started when a port is
   * somebody else's (PortConflict).
   */
  start(name?: string): Promise<string[]>;
  /** Stops all, services first, or one member. What it keeps on disk stays. */
  stop(name?: string): Promise<void>;
  /** Sends a signal to a member's process, e.g. SIGKILL. */
  kill(name: string, signal: NodeJS.Signals): void;
  /** Resolves when a member's process has ended. */
  ended(name: string): Promise<void>;
  restart(name: string): Promise<void>;
  status(): MemberStatus[];
  /** Issues anew what certificates near their end; services take them up as they run. Answers how many. */
  renewCertificates(): Promise<number>;
}

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
// What a child needs of our environment: the rest (a test runner's variables, MYSQL_URL) is none of its business.
const INHERITED = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER"];

/** Lays out a stack; `start()` starts it. */
export async function createStack(options: StackOptions): Promise<Stack> {
  const { directory, topology = "multi", schemaPrefix = "shop", say = () => undefined } = options;
  const cacheDirectory = options.cacheDirectory ?? join(directory, "cache");
  const ports = options.ports ?? (await freePorts());
  const engines = options.engines ?? createOwnEngines(options, ports, cacheDirectory);
  const base = baseEnvironment(cacheDirectory);
  const addresses = addressBook({ ports, directory, topology, engines, schemaPrefix });
  const schema = (service: string) => `${schemaPrefix}_${service}`;
  const mysqlUrls = new Map(
    SCHEMA_OWNERS.map((name) => [name, databaseUrl(engines.mysqlUrl, schema(name), DATABASE_PASSWORD)]),
  );
  const tokenKeyFile = join(directory, "token-key.pem");
  const environment = {
    ...{ ports, certDirectory: addresses.certs, tokenKeyFile, natsUrl: engines.natsUrl },
    ...{ redisUrl: engines.redisUrl, mysqlUrls },
    extra: options.env ?? {},
  };
  const engineMembers = options.engines
    ? []
    : ENGINE_NAMES.map((name) => engineMember(engines, name, ports.engines[name]));
  const parties = outsidePartyPlans({ directory, ports, base }).map((plan) => createMember(plan, REPOSITORY));
  const services = servicePlans(topology, { directory, ports, base }, environment).map((plan) =>
    createMember(plan, REPOSITORY),
  );
  const members: readonly Member[] = [...engineMembers, ...parties, ...services];
  const member = (name: string): Member => {
    const found = members.find((each) => each.name === name);
    if (found === undefined)
      throw new Error(`no "${name}" in the stack: ${members.map((each) => each.name).join(", ")}`);
    return found;
  };

  const renewCertificates = async (): Promise<number> => {
    const authority = await openCertificateAuthority({ directory: addresses.certs, trustDomain: TRUST_DOMAIN });
    let issued = 0;
    for (const name of [...SERVICE_NAMES, "operator"]) if (await authority.ensure(name)) issued++;
    return issued;
  };
  const prepare = async (): Promise<void> => {
    for (const name of SCHEMA_OWNERS) await createDatabaseAndUser(engines.mysqlUrl, schema(name), DATABASE_PASSWORD);
    await renewCertificates();
    await ensureTokenKey(tokenKeyFile);
    await writeWhole(join(directory, "stack.json"), `${JSON.stringify(addresses, undefined, 2)}\n`);
  };
  const startAll = async (): Promise<string[]> => {
    const before = pidsOf(members);
    await assertPortsFree(neededPorts(members));
    if (!options.engines) await prepareEngines(engines, say);
    await startTogether(engineMembers, say);
    await Promise.all([prepare(), buildStorefront({ directory, base, cwd: REPOSITORY })]);
    await startTogether([...parties, ...services], say);
    const started = members.filter((each) => each.status().pid !== before.get(each.name)).map((each) => each.name);
    if (services.some((service) => started.includes(service.name)) || started.includes("mariadb")) {
      const provider = options.history ? addresses.paymentProvider : undefined;
      await runSeed({ directory, base, mysqlUrls, provider, cwd: REPOSITORY });
      say(provider ? "demo data is there: products, customers, thirty days of orders" : "demo data is there: products");
    }
    return started;
  };
  const startOne = async (name: string): Promise<string[]> => {
    const before = member(name).status().pid;
    await assertPortsFree(neededPorts([member(name)]));
    await member(name).start();
    return member(name).status().pid === before ? [] : [name];
  };
  const stopAll = async (): Promise<void> => {
    for (const group of [services, parties, engineMembers]) await Promise.all(group.map((each) => each.stop()));
  };

  return {
    addresses,
    start: (name) => (name === undefined ? startAll() : startOne(name)),
    stop: (name) => (name === undefined ? stopAll() : member(name).stop()),
    kill: (name, signal) => member(name).kill(signal),
    ended: (name) => member(name).ended(),
    async restart(name) {
      await member(name).stop();
      await startOne(name);
    },
    status: () => members.map((each) => each.status()),
    renewCertificates,
    [Symbol.asyncDispose]: stopAll,
  };
}

function createOwnEngines(options: StackOptions, ports: StackPorts, cacheDirectory: string): Engines {
  return createEngines({
    directory: join(options.directory, "engines"),
    logDirectory: join(options.directory, "logs"),
    ports: ports.engines,
    cacheDirectory,
    env: { ...options.engineUrls },
    ...(options.say ? { say: options.say } : {}),
  });
}

function baseEnvironment(cacheDirectory: string): Environment {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  // Compiled code is kept: it takes a third off the time that a service needs to load its libraries.
  return { ...Object.fromEntries(inherited), NODE_COMPILE_CACHE: join(cacheDirectory, "node") };
}

/** Starts members at the same time; when one fails the others are waited for, so that nothing starts behind one's back. */
async function startTogether(members: readonly Member[], say: (line: string) => void): Promise<void> {
  const results = await Promise.allSettled(
    members.map(async (each) => {
      const before = each.status().pid;
      await each.start();
      const { pid } = each.status();
      if (pid !== before) say(`${each.name} is healthy (pid ${pid})`);
    }),
  );
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as Error] : []));
  if (failures.length === 0) return;
  throw new Error(failures.map((failure) => failure.message).join("\n"), { cause: failures[0] });
}

/** The ports that members which do not run are going to listen on. */
function neededPorts(members: readonly Member[]): ListeningPort[] {
  return members
    .filter((each) => !each.isRunning())
    .flatMap((each) => Object.entries(each.ports).map(([what, port]) => ({ member: each.name, what, port })));
}

function pidsOf(members: readonly Member[]): Map<string, number | undefined> {
  return new Map(members.map((each) => [each.name, each.status().pid]));
}

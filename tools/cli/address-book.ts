import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { usageFailure } from "./failure.ts";
import { didYouMean } from "./nearest.ts";

/** Where a service listens, each as "host:port". */
export interface ServiceAddresses {
  grpc: string;
  health: string;
  metrics: string;
}

/** Who is where. */
export interface AddressBook {
  services: ReadonlyMap<string, ServiceAddresses>;
  /** Folder with the certificates, one folder inside for each identity. */
  certDirectory: string;
  /** Where runtime overrides are put: a namespace at a NATS server. */
  registry: { nats: string; namespace: string };
  /** The stack's file, if there is one; undefined: nothing is known to run, these are the default ports. */
  file: string | undefined;
}

/** What the local stack writes to `.weft/stack.json`. */
interface StackFile {
  services: Record<string, ServiceAddresses>;
  certs?: string;
  engines?: { nats?: string };
  namespace?: string;
}

/** In the order of their ports: base + 100, + 110, ... (gRPC, then health, then metrics). */
const serviceNames = [
  "edge",
  "user",
  "catalog",
  "inventory",
  "order",
  "payment",
  "notification",
  "cart",
  "analytics",
  "recommendation",
] as const;
const portBase = 7000;
const defaultRegistry = { nats: `nats://127.0.0.1:${portBase + 2}`, namespace: "shop" };

/**
 * Reads the stack's address book.
 *
 * @param stackDirectory as typed after --stack; without it the nearest `.weft` with a stack.json in or above the
 * working folder, else the one of the clone that this command belongs to
 */
export async function loadAddressBook(
  stackDirectory: string | undefined,
  workingDirectory: string,
): Promise<AddressBook> {
  const own = join(import.meta.dirname, "..", "..", ".weft");
  const candidates =
    stackDirectory === undefined
      ? [...ancestors(workingDirectory).map((folder) => join(folder, ".weft")), own]
      : [resolve(workingDirectory, stackDirectory)];
  for (const directory of candidates) {
    const file = join(directory, "stack.json");
    const text = await readIfThere(file);
    if (text !== undefined) return parse(file, text);
  }
  if (stackDirectory !== undefined) {
    throw usageFailure(`there is no stack.json in ${resolve(workingDirectory, stackDirectory)}`, "`make up` writes it");
  }
  return { services: defaultServices(), certDirectory: join(own, "certs"), registry: defaultRegistry, file: undefined };
}

/** The addresses of a service. A name that is not in the book is a typing error. */
export function addressesOf(book: AddressBook, service: string): ServiceAddresses {
  const addresses = book.services.get(service);
  if (addresses === undefined) {
    const names = [...book.services.keys()];
    throw usageFailure(
      `no service "${service}" on the mesh`,
      didYouMean(service, names) ?? `there are: ${names.join(", ")}`,
    );
  }
  return addresses;
}

function parse(file: string, text: string): AddressBook {
  try {
    const { services, certs, engines, namespace } = JSON.parse(text) as StackFile;
    const root = dirname(dirname(file));
    return {
      services: new Map(Object.entries(services)),
      certDirectory: certs === undefined ? join(dirname(file), "certs") : resolve(root, certs),
      registry: {
        nats: engines?.nats ?? defaultRegistry.nats,
        namespace: namespace ?? defaultRegistry.namespace,
      },
      file,
    };
  } catch (error) {
    throw usageFailure(`${file} is not an address book`, "`make down` and `make up` write it anew", error);
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw usageFailure(`cannot read ${file}`, (error as Error).message, error);
  }
}

function ancestors(directory: string): string[] {
  const parent = dirname(directory);
  return parent === directory ? [directory] : [directory, ...ancestors(parent)];
}

function defaultServices(): Map<string, ServiceAddresses> {
  return new Map(
    serviceNames.map((name, index) => {
      const port = portBase + 100 + 10 * index;
      const at = (offset: number) => `127.0.0.1:${port + offset}`;
      return [name, { grpc: at(0), health: at(1), metrics: at(2) }];
    }),
  );
}

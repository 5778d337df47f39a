import { join, resolve } from "node:path";
import { formatOperator, operatorHeader } from "@weft/mesh/context";
import { addressesOf, loadAddressBook } from "./address-book.ts";
import type { CommonOptions } from "./options.ts";
import type { Io } from "./output.ts";
import { type Channel, openChannel } from "./wire/channel.ts";
import { operatorCredentials } from "./wire/credentials.ts";

/**
 * Connects to a service as the operator, by the address book or by --addr.
 *
 * @param service its name on the mesh, which the peer's certificate must carry
 */
export async function connect(io: Io, service: string, options: CommonOptions): Promise<Channel> {
  const book = await loadAddressBook(options.stack, io.workingDirectory);
  const address = options.addr ?? addressesOf(book, service).grpc;
  const certs =
    options.certs === undefined ? join(book.certDirectory, "operator") : resolve(io.workingDirectory, options.certs);
  const credentials = await operatorCredentials(certs, service);
  return asPerson(await openChannel(service, address, credentials), io.user);
}

/** Tells the service with each call which person uses the operator's certificate, for its audit. */
function asPerson(channel: Channel, user: string | undefined): Channel {
  if (!user) return channel;
  const own = [operatorHeader, formatOperator(user)] as const;
  return {
    call: (path, requests, options = {}, observer = {}) =>
      channel.call(path, requests, { ...options, headers: [own, ...(options.headers ?? [])] }, observer),
    [Symbol.dispose]: () => channel[Symbol.dispose](),
  };
}

import { join, resolve } from "node:path";
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
  return await openChannel(service, address, credentials);
}

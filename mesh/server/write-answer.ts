import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { HttpResponse } from "./public-page.ts";

/**
 * Writes an answer of Connect's to Node's HTTP, of either version. A stream's next message is made while the one before is on
 * its way, and not before that: a caller who reads slowly, or never, costs two messages, and what he gets is new.
 * connect-node's own way is to go on until 64 KiB wait, a thousand small messages and some megabytes of their bookkeeping.
 *
 * @throws what writing failed with; whoever makes the messages is told to stop
 */
export async function writeAnswer(answer: UniversalServerResponse, response: HttpResponse): Promise<void> {
  // Each write tells its own error; as an event that nobody hears it would end the process.
  response.on("error", () => undefined);
  const chunks = answer.body?.[Symbol.asyncIterator]();
  let leaving: Promise<void> | undefined;
  try {
    // After the first message, since whoever makes it may still set headers.
    let chunk = await chunks?.next();
    response.writeHead(answer.status, toNodeHeaders(answer.header));
    while (chunks !== undefined && chunk?.done === false) {
      await leaving;
      leaving = write(response, chunk.value);
      leaving.catch(() => undefined);
      chunk = await chunks.next();
    }
    if (answer.trailer) response.addTrailers(toNodeHeaders(answer.trailer));
    response.end();
  } finally {
    await chunks?.return?.();
  }
}

/** Resolves when the chunk has been handed to the system. */
function write(response: HttpResponse, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(new Error("the caller has left"));
    response.once("close", leave);
    response.write(chunk, (error?: Error | null) => {
      response.off("close", leave);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** A name that comes several times as a list, which Headers know of cookies alone. */
function toNodeHeaders(headers: ConstructorParameters<typeof Headers>[0]): Record<string, string | string[]> {
  const all = new Headers(headers);
  const cookies = all.getSetCookie();
  return { ...Object.fromEntries(all), ...(cookies.length > 0 && { "set-cookie": cookies }) };
}

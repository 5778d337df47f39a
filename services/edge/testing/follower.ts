import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type FollowResponse, LiveService } from "../../../gen/shop/api/v1/live_pb.ts";

/** One caller who follows products. */
export interface Follower {
  /** How the call has ended; undefined if well. */
  readonly ended: Promise<ConnectError | undefined>;
  say(subscribe: string[], unsubscribe?: string[]): void;
  /** Says no more, and goes on listening. */
  fallSilent(): void;
  leave(): void;
}

/** Follows products; hear is told each state that comes. */
export function startFollowing(
  transport: Transport,
  skus: readonly string[],
  hear: (state: FollowResponse) => void,
): Follower {
  const left = new AbortController();
  const queue: { subscribe: string[]; unsubscribe: string[] }[] = [];
  let wake = () => {};
  let silent = false;
  async function* requests() {
    while (!left.signal.aborted && !silent) {
      yield* queue.splice(0);
      if (queue.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    yield* queue.splice(0);
  }
  const listen = async (): Promise<undefined> => {
    const answers = createClient(LiveService, transport).follow(requests(), { signal: left.signal });
    for await (const answer of answers) hear(answer);
    return undefined;
  };
  const say: Follower["say"] = (subscribe, unsubscribe = []) => {
    queue.push({ subscribe, unsubscribe });
    wake();
  };
  if (skus.length > 0) say([...skus]);
  return {
    ended: listen().catch(ConnectError.from),
    say,
    fallSilent() {
      silent = true;
      wake();
    },
    leave() {
      left.abort();
      wake();
    },
  };
}

/** A connection of its own to the edge, over h2c; disposing of it breaks it. */
export function openConnection(url: string): { readonly transport: Transport; readonly break: () => void } {
  const sessionManager = new Http2SessionManager(url);
  return { transport: createGrpcTransport({ baseUrl: url, sessionManager }), break: () => sessionManager.abort() };
}

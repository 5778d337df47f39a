import { Code, type ConnectError } from "@connectrpc/connect";
import type { Clock } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import type { ClientTunnel, ClientTunnelListener } from "../tunnel/client-tunnel.ts";
import type { Attempt, Sent } from "./attempt.ts";
import { type TunnelHistory, youngMs } from "./tunnel-history.ts";

/** Most tunnels to one instance. */
const tunnelsMax = 4;
/** Another one is opened when the least loaded has so many calls in flight, or bytes of their messages: half of what it can take. */
const loaded = { calls: 512, bytes: 4 * 1024 * 1024 };
/** How long one takes new calls; see connectionAgeMaxMs in grpc-connections.ts. */
const ageMaxMs = 3.5 * 60_000;
/** Most attempts that wait for the first one to open. */
const waitingMax = 1_024;
/** How long they wait; then they go another way. */
const openingWaitMs = 1_000;
/** How long an instance that wants no calls is taken at its word: then it is gone, or another in its place. */
const drainingMs = 15_000;

export interface TunnelsOptions {
  /** Opens a tunnel on a connection of its own, which ends with the tunnel. Tells the listener nothing before it has returned. */
  readonly open: (listener: ClientTunnelListener) => ClientTunnel;
  /** Takes attempts that have waited in vain. */
  readonly otherwise: (attempt: Attempt) => void;
  /** Told when the instance has said that it wants no new calls, and when that is over. */
  readonly onDraining: (draining: boolean) => void;
  readonly history: TunnelHistory;
  readonly clock: Clock;
}

/** The tunnels to one instance: opened when calls come, replaced before they are old, given up where they keep breaking. */
export interface Tunnels {
  /** Sends an attempt, now or when a tunnel is open. False: none takes it, and nothing is kept of it. */
  send(attempt: Attempt): boolean;
  /** Ends the tunnels when their calls are answered. The next send() opens others. */
  retire(): void;
  close(): void;
}

/** Creates the tunnels to one instance. None is open before the first call. */
export function createTunnels(options: TunnelsOptions): Tunnels {
  return new TunnelPool(options);
}

class TunnelPool implements Tunnels, Sent {
  readonly #options: TunnelsOptions;
  /** Those that take calls. */
  #taking: Held[] = [];
  /** The one that is on its way to that: not open yet, or on probation. */
  #coming: Held | undefined = undefined;
  /** Attempts that wait for the first one to open. */
  #waiting: Attempt[] = [];
  #waitTimer: NodeJS.Timeout | undefined = undefined;
  #drainingTimer: NodeJS.Timeout | undefined = undefined;

  constructor(options: TunnelsOptions) {
    this.#options = options;
  }

  send(attempt: Attempt): boolean {
    const held = this.#leastLoaded() ?? this.#proved(attempt.startedAtMs);
    if (held === undefined) return this.#wait(attempt);
    const { tunnel } = held;
    if (attempt.startedAtMs - held.openedAtMs >= ageMaxMs || isLoaded(tunnel))
      this.#openMore(held, attempt.startedAtMs);
    attempt.sent = tunnel;
    return tunnel.send(attempt) || this.#sendByAnother(tunnel, attempt);
  }

  /** One that has fewer calls may have more bytes in flight. */
  #sendByAnother(full: ClientTunnel, attempt: Attempt): boolean {
    for (const { tunnel } of this.#taking) {
      attempt.sent = tunnel;
      if (tunnel !== full && tunnel.send(attempt)) return true;
    }
    attempt.sent = undefined;
    return false;
  }

  #leastLoaded(): Held | undefined {
    const taking = this.#taking;
    let best = taking[0];
    for (let index = 1; index < taking.length; index++) {
      const held = taking[index];
      if (held !== undefined && best !== undefined && held.tunnel.outstanding < best.tunnel.outstanding) best = held;
    }
    return best;
  }

  /** The one on probation, if it is no longer young. */
  #proved(nowMs: number): Held | undefined {
    const coming = this.#coming;
    if (coming === undefined || nowMs - coming.openedAtMs < youngMs) return undefined;
    this.#options.history.proved();
    this.#take(coming);
    return coming;
  }

  #wait(attempt: Attempt): boolean {
    const { history } = this.#options;
    const nowMs = attempt.startedAtMs;
    if (this.#coming === undefined) {
      if (!history.mayOpen(nowMs)) return false;
      this.#open(nowMs);
    }
    // It may have failed at once.
    if (this.#coming === undefined || history.onProbation) return false;
    if (this.#waiting.length >= waitingMax || nowMs - this.#coming.sinceMs >= openingWaitMs) return false;
    this.#waiting.push(attempt);
    attempt.sent = this;
    this.#waitTimer ??= setTimeout(() => this.#release(), openingWaitMs);
    return true;
  }

  /** Whoever waits may leave. */
  cancel(attempt: Attempt): void {
    this.#waiting = this.#waiting.filter((other) => other !== attempt);
  }

  /** Those that wait go with what there is now. */
  #release(): void {
    clearTimeout(this.#waitTimer);
    this.#waitTimer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const attempt of waiting) {
      attempt.sent = undefined;
      if (this.#taking.length === 0 || !this.send(attempt)) this.#options.otherwise(attempt);
    }
  }

  #openMore(least: Held, nowMs: number): void {
    const old = nowMs - least.openedAtMs >= ageMaxMs;
    if (this.#coming !== undefined || !this.#options.history.mayOpen(nowMs)) return;
    if (old || this.#taking.length < tunnelsMax) this.#open(nowMs);
  }

  #open(nowMs: number): void {
    this.#coming = new Held(this, this.#options.open, nowMs);
  }

  opened(held: Held): void {
    const { history, clock } = this.#options;
    held.openedAtMs = clock.monotonic();
    this.#drains(false);
    history.opened();
    if (!history.onProbation) this.#take(held);
  }

  #take(held: Held): void {
    this.#coming = undefined;
    const taking = [held];
    for (const other of this.#taking) {
      if (held.openedAtMs - other.openedAtMs < ageMaxMs) taking.push(other);
      else other.tunnel.drain();
    }
    this.#taking = taking;
    this.#release();
  }

  refused(held: Held): void {
    const { history, clock } = this.#options;
    this.#drop(held);
    history.refused(clock.monotonic());
    this.#drains(true);
  }

  #drains(does: boolean): void {
    clearTimeout(this.#drainingTimer);
    if (does || this.#drainingTimer !== undefined) this.#options.onDraining(does);
    this.#drainingTimer = does ? setTimeout(() => this.#drains(false), drainingMs).unref() : undefined;
  }

  closed(held: Held, error: ConnectError | undefined): void {
    const { history, clock } = this.#options;
    const nowMs = clock.monotonic();
    const wanted = this.#drop(held);
    if (!wanted || error === undefined) return;
    if (held.openedAtMs === Number.POSITIVE_INFINITY) history.failed(nowMs, error);
    else history.broke(nowMs, nowMs - held.openedAtMs);
  }

  /** Forgets a tunnel; false if that has been done before. */
  #drop(held: Held): boolean {
    const coming = this.#coming === held;
    const taking = this.#taking.filter((other) => other !== held);
    const known = coming || taking.length < this.#taking.length;
    this.#taking = taking;
    if (coming) {
      this.#coming = undefined;
      this.#release();
    }
    return known;
  }

  retire(): void {
    const taking = this.#taking;
    this.#taking = [];
    for (const { tunnel } of taking) tunnel.drain();
    const coming = this.#coming;
    this.#coming = undefined;
    coming?.tunnel.close();
    this.#release();
  }

  close(): void {
    this.#drains(false);
    clearTimeout(this.#waitTimer);
    const [waiting, taking, coming] = [this.#waiting, this.#taking, this.#coming];
    [this.#waiting, this.#taking, this.#coming] = [[], [], undefined];
    for (const attempt of waiting) attempt.failed(rpcError(Code.Canceled, "this process is ending"));
    for (const { tunnel } of taking) tunnel.close();
    coming?.tunnel.close();
  }
}

/** A tunnel and its place in the pool. */
class Held implements ClientTunnelListener {
  readonly tunnel: ClientTunnel;
  readonly sinceMs: number;
  /** Infinity until it is open. */
  openedAtMs = Number.POSITIVE_INFINITY;
  readonly #pool: TunnelPool;

  constructor(pool: TunnelPool, open: TunnelsOptions["open"], sinceMs: number) {
    this.#pool = pool;
    this.sinceMs = sinceMs;
    this.tunnel = open(this);
  }

  opened(): void {
    this.#pool.opened(this);
  }
  draining(): void {
    this.#pool.refused(this);
  }
  closed(error: ConnectError | undefined): void {
    this.#pool.closed(this, error);
  }
}

function isLoaded({ outstanding, bytesInFlight }: ClientTunnel): boolean {
  return outstanding >= loaded.calls || bytesInFlight >= loaded.bytes;
}

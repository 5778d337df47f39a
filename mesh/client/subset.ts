/** What a client of many endpoints keeps connections to. */
export interface SubsetBounds {
  /** Up to so many endpoints all are kept. */
  readonly min: number;
  /** Never more, even if endpoints are left without a client. */
  readonly max: number;
}

export const defaultBounds: SubsetBounds = { min: 20, max: 100 };

/** Where a client sits on the ring of all clients of a service. */
export interface Seat {
  /** In [0, 1). */
  readonly at: number;
  /** How many clients share the ring; undefined if nobody knows. */
  readonly clients: number | undefined;
}

/** An endpoint that is kept, and which part of its weight is this client's. */
export interface Kept<T> {
  readonly item: T;
  readonly part: number;
}

export interface Placed {
  /** What places it on the ring, the same for every client. */
  readonly address: string;
  /** Endpoints of each class are spread on their own, so that a version or a zone of few is not missed. */
  readonly zone?: string | undefined;
  readonly version?: string | undefined;
}

/**
 * The seat of a client: beside its peers where these are known, evenly; else where its name's hash says.
 *
 * @param name of this client, unlike all others': its own address, say
 * @param peers all clients of the service that do the same, this one included
 */
export function seatOf(name: string, peers?: readonly string[]): Seat {
  const place = peers === undefined ? -1 : inRingOrder(peers, (peer) => peer).indexOf(name);
  if (peers === undefined || place < 0) return { at: hash(name) / 2 ** 32, clients: undefined };
  return { at: place / peers.length, clients: peers.length };
}

/**
 * Keeps a bounded part of many endpoints, so that each client has few connections and each endpoint as many clients as the
 * others: endpoints sit on a ring, and a client keeps the arc that begins at its seat. With the number of clients known, arcs
 * cover the ring a whole number of times, and who sits on the border of two counts for each with a part: load is even.
 * Without, it is as even as chance has it.
 *
 * Deterministic; one endpoint or client more moves each border by less than two.
 *
 * @see https://twitter.github.io/finagle/guide/ApertureLoadBalancers.html#deterministic-subsetting
 */
export function subsetOf<T extends Placed>(items: readonly T[], seat: Seat, bounds = defaultBounds): Kept<T>[] {
  if (items.length <= bounds.min) return items.map((item) => ({ item, part: 1 }));
  const share = shareOf(items.length, seat, bounds);
  return [...classesOf(items).values()].flatMap((members) => arcOf(members, seat, share));
}

/** Which part of the ring a client keeps. */
function shareOf(count: number, { clients }: Seat, { min, max }: SubsetBounds): number {
  if (clients === undefined) return min / count;
  const turns = Math.max(1, Math.ceil((min * clients) / count));
  return Math.min(1, turns / clients, max / count);
}

function arcOf<T extends Placed>(members: readonly T[], seat: Seat, share: number): Kept<T>[] {
  const count = members.length;
  const ring = inRingOrder(members, ({ address }) => address);
  if (share === 1) return ring.map((item) => ({ item, part: 1 }));
  // Borders in the midst of an endpoint make loads even only where all clients' arcs fit together.
  const known = seat.clients !== undefined;
  const start = known ? seat.at * count : Math.floor(seat.at * count);
  const width = known ? share * count : Math.max(1, Math.round(share * count));
  const parts = new Map<T, number>();
  for (let place = Math.floor(start); place < start + width; place++) {
    const item = ring[place % count];
    const part = Math.min(place + 1, start + width) - Math.max(place, start);
    // An arc of nearly the whole ring may end where it begins; what is left by rounding is nobody.
    if (item !== undefined && part > 1e-9) parts.set(item, (parts.get(item) ?? 0) + part);
  }
  return [...parts].map(([item, part]) => ({ item, part }));
}

function classesOf<T extends Placed>(items: readonly T[]): Map<string, T[]> {
  return Map.groupBy(items, ({ zone = "", version = "" }) => JSON.stringify([zone, version]));
}

/** In the order of their hashes, so that neighbours by name or address are none on the ring. */
function inRingOrder<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, key: keyOf(item), hash: hash(keyOf(item)) }))
    .sort((a, b) => a.hash - b.hash || (a.key < b.key ? -1 : 1))
    .map(({ item }) => item);
}

/** 32 bits, well mixed: FNV-1a, then MurmurHash3's finalizer, since names that differ in their last digit are common. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/**
 * The calls in flight of a client's tunnel, by their ids: an id is a place in an array, and the last one that became free is the next to
 * be given, so that ids stay small.
 */
export class CallSlots<Call> {
  readonly #calls: (Call | undefined)[] = [];
  readonly #bytes: number[] = [];
  readonly #free: number[] = [];
  readonly #max: number;
  /** Ids in use. */
  count = 0;
  /** Bytes of their messages. */
  bytesInFlight = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get isFull(): boolean {
    return this.count >= this.#max;
  }

  /** Gives a call an id. There must be room. */
  add(call: Call, bytes: number): number {
    const id = this.#free.pop() ?? this.#calls.length;
    this.#calls[id] = call;
    this.#bytes[id] = bytes;
    this.count += 1;
    this.bytesInFlight += bytes;
    return id;
  }

  get(id: number): Call | undefined {
    return id < this.#calls.length ? this.#calls[id] : undefined;
  }

  /** Puts another in a call's place; its id stays in use. */
  replace(id: number, call: Call): void {
    this.#calls[id] = call;
  }

  /** Frees an id that is in use. */
  remove(id: number): void {
    this.#calls[id] = undefined;
    this.#free.push(id);
    this.count -= 1;
    this.bytesInFlight -= this.#bytes[id] ?? 0;
  }

  /** Frees all; returns those that there were, by id. */
  clear(): Map<number, Call> {
    const all = new Map<number, Call>();
    for (const [id, call] of this.#calls.entries()) if (call !== undefined) all.set(id, call);
    for (const id of all.keys()) this.remove(id);
    return all;
  }
}

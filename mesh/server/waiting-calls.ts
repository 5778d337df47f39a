import type { Criticality } from "../contract/criticality.ts";

interface Entry<C> {
  readonly call: C;
  readonly sinceMs: number;
}

/** Calls that wait: the most critical first, among equals the one that came first. */
export class WaitingCalls<C> {
  readonly #lines: Readonly<Record<Criticality, Line<C>>> = {
    critical: new Line<C>(),
    default: new Line<C>(),
    sheddable: new Line<C>(),
  };
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(call: C, criticality: Criticality, sinceMs: number): void {
    this.#lines[criticality].push({ call, sinceMs });
    this.#length += 1;
  }

  /** How many would have their turn before one that comes now. */
  ahead(criticality: Criticality): number {
    const { critical, default: ordinary, sheddable } = this.#lines;
    switch (criticality) {
      case "critical":
        return critical.length;
      case "default":
        return critical.length + ordinary.length;
      case "sheddable":
        return critical.length + ordinary.length + sheddable.length;
    }
  }

  /** Takes the next one. */
  take(): C | undefined {
    const { critical, default: ordinary, sheddable } = this.#lines;
    return this.#taken(critical.shift() ?? ordinary.shift() ?? sheddable.shift());
  }

  /** Takes the least critical of those less critical than that, the last to come, to make room for it. */
  displace(criticality: Criticality): C | undefined {
    const { default: ordinary, sheddable } = this.#lines;
    if (criticality === "sheddable") return undefined;
    const entry = sheddable.pop() ?? (criticality === "critical" ? ordinary.pop() : undefined);
    return this.#taken(entry);
  }

  /** Takes those that have waited since then or longer. */
  *takeOlderThan(sinceMs: number): Iterable<C> {
    for (const line of Object.values(this.#lines)) {
      for (let first = line.first; first !== undefined && first.sinceMs <= sinceMs; first = line.first) {
        this.#taken(line.shift());
        yield first.call;
      }
    }
  }

  #taken(entry: Entry<C> | undefined): C | undefined {
    if (entry !== undefined) this.#length -= 1;
    return entry?.call;
  }
}

const holeMax = 64;

/** First in, first out, without moving what is behind: an array with a hole in front that is cut off now and then. */
class Line<C> {
  #entries: (Entry<C> | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }
  get first(): Entry<C> | undefined {
    return this.#entries[this.#head];
  }
  push(entry: Entry<C>): void {
    this.#entries.push(entry);
  }
  shift(): Entry<C> | undefined {
    if (this.length === 0) return undefined;
    const entry = this.#entries[this.#head];
    this.#entries[this.#head] = undefined;
    this.#head += 1;
    if (this.#head > holeMax && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }
  pop(): Entry<C> | undefined {
    return this.length === 0 ? undefined : this.#entries.pop();
  }
}

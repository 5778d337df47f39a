import type { EdgeOverrides, InjectedFault } from "../overrides/edge-overrides.ts";

/** The way in which unary calls of an edge leave: the best that there is, or always the same. */
export type TransportChoice = (typeof transportChoices)[number];

export const transportChoices = ["auto", "tunnel", "grpc"] as const;

/**
 * What can be changed of the calls from this service to another while they run. A plain object, read by each call: whoever holds it sets a
 * field, and the next call obeys.
 */
export interface EdgeSettings {
  transport: TransportChoice;
  /** What is done to calls before they are sent; undefined: nothing. */
  faults: readonly InjectedFault[] | undefined;
  /** Percentages of the calls by version of the instance, the rest for all others. Empty: no version has a part of its own. */
  split: ReadonlyMap<string, number>;
  /** Told of each new split: whoever balances the calls. */
  onSplit: (percentages: ReadonlyMap<string, number>) => void;
}

/** Creates the settings that nobody has changed. */
export function createEdgeSettings(transport: TransportChoice = "auto"): EdgeSettings {
  return new LiveSettings(transport);
}

class LiveSettings implements EdgeSettings {
  transport: TransportChoice;
  faults: readonly InjectedFault[] | undefined = undefined;
  onSplit: EdgeSettings["onSplit"] = () => undefined;
  #split: ReadonlyMap<string, number> = new Map();

  constructor(transport: TransportChoice) {
    this.transport = transport;
  }
  get split(): ReadonlyMap<string, number> {
    return this.#split;
  }
  set split(percentages: ReadonlyMap<string, number>) {
    this.#split = percentages;
    this.onSplit(percentages);
  }
}

/** Applies the runtime overrides in force to edges, each time that they change; what they no longer name is as it was before. */
export function createOverriding(
  edge: (service: string) => EdgeSettings,
): (overrides: ReadonlyMap<string, EdgeOverrides>) => void {
  const transportsBefore = new Map<string, TransportChoice>();
  return (overrides) => {
    for (const service of new Set([...transportsBefore.keys(), ...overrides.keys()])) {
      const settings = edge(service);
      const { transport, split = new Map(), faults } = overrides.get(service) ?? {};
      const before = transportsBefore.get(service) ?? settings.transport;
      if (overrides.has(service)) transportsBefore.set(service, before);
      else transportsBefore.delete(service);
      settings.transport = transport ?? before;
      settings.split = split;
      settings.faults = faults;
    }
  };
}

/** The way in which unary calls of an edge leave: the best that there is, or always the same. */
export type TransportChoice = "auto" | "tunnel" | "grpc";

/**
 * What can be changed of the calls from this service to another while they run. A plain object, read by each call: whoever holds it sets a
 * field, and the next call obeys.
 */
export interface EdgeSettings {
  transport: TransportChoice;
}

/** Creates the settings that nobody has changed. */
export function createEdgeSettings(transport: TransportChoice = "auto"): EdgeSettings {
  return { transport };
}

/** The versions of weft.tunnel.v1 that this release speaks, oldest and newest. */
export const versionMin = 1;
export const versionMax = 1;

/** Largest request message that takes a tunnel, in bytes. Larger ones would hold up the calls behind them: they take a gRPC call of their own. */
export const requestBytesMax = 64 * 1024;

/** Largest answer on a tunnel, all of its parts together; what gRPC allows one message by default. */
export const answerBytesMax = 4 * 1024 * 1024;

/** Largest piece of an answer that goes into one frame. */
export const partBytesMax = 64 * 1024;

/** A frame with so many bytes leaves at once. */
export const frameBytesAim = 64 * 1024;

/** Largest frame that is read; the specification's. */
export const frameBytesMax = 256 * 1024;

/** Most metadata of one call or answer, names and values, in bytes: what gRPC takes of a header block by default. */
export const metadataBytesMax = 8 * 1024;

/** Most calls in flight on one tunnel. */
export const callsMax = 1_024;

/** Most bytes of request messages of all calls in flight on one tunnel. */
export const requestBytesInFlightMax = 8 * 1024 * 1024;

/** Most methods that can be called on one tunnel. */
export const methodsMax = 4_096;

/** So many calls, or answers, that wait to leave do so at once; fewer leave when the turn of the event loop ends. */
export const flushCallsMax = 32;

/** Most bytes of answers that wait for a peer that does not read; further answers become RESOURCE_EXHAUSTED. */
export const answerBytesWaitingMax = 64 * 1024 * 1024;

/** How long a peer may leave frames unread before its tunnel ends. */
export const stallTimeoutMs = 30_000;

/**
 * What may be under way to a peer before it has read it, on one connection: a message of the largest size. HTTP/2's own 64 KiB are four messages
 * of 16 KiB or a quarter of one of 256, after which each side waits for the other: they cost three times as much that way.
 */
export const windowBytes = 4 * 1024 * 1024;

/**
 * A trace context as 32-bit numbers, signed, since those cost no object: the words of W3C traceparent's trace-id and of its parent-id, and its flags.
 */
export interface TraceWords {
  readonly trace0: number;
  readonly trace1: number;
  readonly trace2: number;
  readonly trace3: number;
  readonly span0: number;
  readonly span1: number;
  /** 0 to 255; bit 0 is "sampled". -1: there is no trace, the words mean nothing. */
  readonly traceFlags: number;
}

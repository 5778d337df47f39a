/** An event that a service could not handle, without its body. */
export interface DeadLetter {
  /** Its number in the stream of dead letters, never used again. */
  readonly letterId: bigint;
  readonly givenUpAt: Date;
  /** The event's. */
  readonly subject: string;
  /** As its publication says; may be empty. */
  readonly eventId: string;
  /** Why it could not be handled, the last time. */
  readonly cause: string;
  readonly deliveries: number;
  /** W3C trace id of the change that it tells of; may be empty. */
  readonly traceId: string;
}

/** Which letters: all that is set must hold. */
export interface DeadLetterFilter {
  /** The event's subject; `*` stands for one token, a last `>` for one or more. */
  readonly subject?: string | undefined;
  readonly since?: Date | undefined;
  /** A part of the cause, whatever its case. */
  readonly cause?: string | undefined;
}

/** A letter with its body. */
export interface OpenedDeadLetter {
  readonly letter: DeadLetter;
  /** The event as JSON, with what its contract marks as debug_redact masked; or what could not be read. */
  readonly body: { readonly json: string } | { readonly hex: string; readonly problem: string };
  readonly headers: Readonly<Record<string, string>>;
  /** What the envelope says; undefined if it cannot be read. */
  readonly envelope:
    | {
        readonly eventType: string;
        readonly aggregateId: string;
        readonly aggregateVersion: bigint;
        readonly occurredAt: Date | undefined;
      }
    | undefined;
}

/** What has become of a letter that was redriven. */
export interface RedrivenDeadLetter {
  readonly letterId: bigint;
  readonly subject: string;
  /**
   * handled: the handler has done its work, or would. repeated: its effect was there already. failed: the handler has failed again,
   * or would, or nothing can be made of the letter. decoded: a dry run that cannot find out more.
   */
  readonly outcome: "handled" | "repeated" | "failed" | "decoded";
  /** Why; may be empty. */
  readonly detail: string;
  /** The letter is still there. */
  readonly kept: boolean;
}

/** One service's dead letters. Everything ends within seconds; without the broker it is UNAVAILABLE. */
export interface DeadLetters {
  /**
   * Oldest first, those after a letter if one is named. Looks at no more than a bounded number: `next` is the last that it has looked
   * at, undefined if there are no more.
   */
  list(options: {
    readonly filter: DeadLetterFilter;
    readonly afterId?: bigint | undefined;
    readonly limit: number;
  }): Promise<{ readonly letters: readonly DeadLetter[]; readonly next: bigint | undefined }>;
  /** Letters of this service; bytes of all services' letters. */
  usage(): Promise<{ readonly total: number; readonly streamBytes: number; readonly streamBytesMax: number }>;
  /** Undefined if it is gone. */
  get(letterId: bigint): Promise<OpenedDeadLetter | undefined>;
  /**
   * Hands a letter to the service's own handler and removes it once that has had its effect, whatever becomes of the caller. Undefined
   * if it is gone.
   *
   * @throws ConnectError UNAVAILABLE if broker or database are away, RESOURCE_EXHAUSTED if too many are being redriven
   */
  redrive(letterId: bigint, options: { readonly dryRun: boolean }): Promise<RedrivenDeadLetter | undefined>;
  /** Removes a letter. False if it is gone. */
  discard(letterId: bigint): Promise<boolean>;
}

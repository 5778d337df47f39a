/** Hears what a source of runtime overrides holds under a key; undefined: it was removed. */
export type OnOverride = (id: string, signed: Uint8Array | undefined) => void;

/** Where runtime overrides come from. What they are worth is for whoever hears them to find out. */
export interface OverrideSource {
  /** The services that it is for. */
  readonly namespace: string;
  /** Tells of each override that there is, and of each change within a second. */
  watch(onOverride: OnOverride): Disposable;
}

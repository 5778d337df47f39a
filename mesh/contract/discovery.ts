import type { OverrideSource } from "./override-source.ts";

/** One running instance of a service. */
export interface Instance {
  /** "127.0.0.1:7140". Which instance it is, too: no two share one. */
  readonly address: string;
  /** The label that a traffic split names: "2.1.0", "canary". */
  readonly version?: string | undefined;
  /** Where it runs; calls prefer their own zone. */
  readonly zone?: string | undefined;
  /** Its share of the calls beside the others of its service, above 0; 1 if left out. */
  readonly weight?: number | undefined;
}

/** Hears of the instances of a service: all of them, each time that one has come, gone or changed. */
export type OnInstances = (instances: readonly Instance[]) => void;

/** Where a service's instances are found. */
export interface Resolver {
  /**
   * Tells of the instances of a service: at once where some are known, then on each change. Never of none: a source that is away, or
   * has become empty, takes nothing from what is known.
   *
   * @returns disposing of it ends the telling
   * @throws Error that names the setting, if the source can never know this service
   */
  watch(service: string, onChange: OnInstances): Disposable;
}

/** Where an instance makes itself known. */
export interface Registry {
  /**
   * Makes an instance known for as long as it takes calls. Never waits for the source, and never fails.
   *
   * @returns disposing of it takes the instance out, which is the first thing that a drain does
   */
  register(service: string, instance: Instance): AsyncDisposable;
}

/** One source of instances: what is registered with it, its resolvers find. */
export interface Discovery extends Resolver, Registry, AsyncDisposable {
  /** Where the same source carries runtime overrides, too. */
  readonly overrides?: OverrideSource;
}

import type { Child } from "../processes/child.ts";

/** The engines the shop runs on. */
export type EngineName = "mariadb" | "nats" | "redis";

export const ENGINE_NAMES: readonly EngineName[] = ["mariadb", "nats", "redis"];

/** What is needed to launch one engine: made by `locate`, either a program on this machine or an image for Docker. */
export type EngineProgram =
  | { readonly kind: "executable"; readonly file: string }
  | { readonly kind: "image"; readonly docker: string; readonly image: string };

export interface LaunchOptions {
  readonly program: EngineProgram;
  readonly port: number;
  /** The engine's own folder: data lies in it and survives a stop. */
  readonly directory: string;
  readonly logFile: string;
  /** Where things that many data folders share may be kept (MariaDB's template). */
  readonly cacheDirectory: string;
}

/** What differs from engine to engine. */
export interface EngineKind {
  readonly name: EngineName;
  /** The variable with the URL of an engine that somebody else runs. */
  readonly urlVariable: "MYSQL_URL" | "NATS_URL" | "REDIS_URL";
  readonly executable: string;
  readonly aptPackage: string;
  readonly image: string;
  url(port: number): string;
  launch(options: LaunchOptions): Promise<Child>;
  /** Whether the engine behind this URL does its work; throws or answers false while it does not. */
  probe(url: string): Promise<boolean>;
}

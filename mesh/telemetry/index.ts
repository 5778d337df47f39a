export { type Audit, type AuditEntry, type Audited, type AuditedOptions, createLogAudit } from "./audit.ts";
export { type Logger, type LogLevel, logLevels } from "./logger.ts";
export { createTelemetry, type SpanOptions, type Telemetry, type TelemetryOptions } from "./telemetry.ts";

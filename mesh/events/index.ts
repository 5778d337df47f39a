export { type Broadcast, type BroadcastOptions, startBroadcast } from "./broadcast.ts";
export { type Broker, type BrokerOptions, createBroker } from "./broker.ts";
export { type Consumer, type ConsumerOptions, startConsumer } from "./consumer.ts";
export { createDirectPublisher, type DirectPublisher, type DirectPublisherOptions } from "./direct-publisher.ts";
export {
  type EventHandler,
  type EventMeta,
  onEvent,
  onEvents,
  onRepeatableEvent,
  type ReceivedEvent,
  type RepeatableHandler,
} from "./handler.ts";
export { eventMigrations } from "./migrations.ts";
export { createEventOperations, type EventOperationsOptions } from "./operations.ts";
export { createOutbox, type Outbox, type OutboxOptions } from "./outbox.ts";
export type { Projection, ProjectionCopy, ProjectionTable, RebuildableProjection } from "./projection.ts";
export { type RepeatableConsumerOptions, startRepeatableConsumer } from "./repeatable-consumer.ts";
export { ensureFilled, finishReplay, replayProjection } from "./replay.ts";
export { defaultDeadLetterStream, defaultEventStream, type EventStream } from "./streams.ts";
export type { EventTable, StoredEventRow } from "./verify.ts";

export { type Broker, type BrokerOptions, createBroker } from "./broker.ts";
export { type ConsumerOptions, startConsumer } from "./consumer.ts";
export { createDirectPublisher, type DirectPublisher, type DirectPublisherOptions } from "./direct-publisher.ts";
export { type EventHandler, type EventMeta, onEvent, onEvents, type ReceivedEvent } from "./handler.ts";
export { eventMigrations } from "./migrations.ts";
export { createOutbox, type Outbox, type OutboxOptions } from "./outbox.ts";
export { defaultDeadLetterStream, defaultEventStream, type EventStream } from "./streams.ts";

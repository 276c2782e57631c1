/** The event log and its durable consumers. */

export { nextDepth } from './events/append-event.ts';
export type { ParkedEvent } from './events/consumer-store.ts';
export { type Consumer, type Consumers, createConsumers } from './events/consumers.ts';
export { createEventLog, type EventLog } from './events/event-log.ts';
export type { EventFilter } from './events/events-table.ts';

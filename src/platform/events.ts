/** The event log and its durable consumers. */
export { type Consumer, type Consumers, createConsumers, type ParkedEvent } from './events/consumers.ts';
export { createEventLog, type EventLog } from './events/event-log.ts';
export type { EventFilter } from './events/events-table.ts';

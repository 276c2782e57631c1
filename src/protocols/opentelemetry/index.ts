export { createOpentelemetryProtocol } from './opentelemetry-protocol.ts';

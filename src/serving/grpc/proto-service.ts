import type { ServiceDefinition } from '@grpc/grpc-js';
import type { Message } from './proto-message.ts';

/** Calls by their names. `answers`: one request, many answers; `both`: many of each. */
export type CallTable = Readonly<
  Record<string, { readonly request: Message; readonly response: Message; readonly streams?: 'answers' | 'both' }>
>;

export interface ServiceDescription {
  /** The .proto file that it would stand in. */
  readonly file: string;
  readonly package: string;
  readonly name: string;
  readonly calls: CallTable;
}

export const fullName = ({ package: place, name }: ServiceDescription): string => `${place}.${name}`;

const asItIs = (bytes: Buffer): Buffer => bytes;

/**
 * For grpc-js, with bytes as messages on both sides: were they decoded by it, those that are none would be answered by
 * INTERNAL, and a fault of the caller would look like one of ours.
 */
export function toServiceDefinition(service: ServiceDescription): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(service.calls).map(([name, { streams }]) => [
      name,
      {
        path: `/${fullName(service)}/${name}`,
        requestStream: streams === 'both',
        responseStream: streams !== undefined,
        requestSerialize: asItIs,
        requestDeserialize: asItIs,
        responseSerialize: asItIs,
        responseDeserialize: asItIs,
      },
    ]),
  );
}

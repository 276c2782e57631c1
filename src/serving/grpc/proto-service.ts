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

/** By which a call of it is asked for. */
export const pathOf = (service: ServiceDescription, call: string): string => `/${fullName(service)}/${call}`;

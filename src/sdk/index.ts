/** The TypeScript client: typed by the same operations that the server registers. Needs nothing but `fetch`. */
export { type Client, type ClientOptions, createClient, type RequestOptions } from './client.ts';
export { isTidemillError, TidemillError } from './errors.ts';
export type { ServerEvent, StreamOptions } from './event-stream.ts';

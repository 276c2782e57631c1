import type { OperationArguments, OperationResult, OperationShape } from '#contracts/operation';

/** What is needed of a client of Tidemill: the one of the SDK is one. */
export interface TidemillApi {
  call<const O extends OperationShape>(operation: O, args: OperationArguments<O>): Promise<OperationResult<O>>;
  request(path: string, init?: RequestInit & { readonly duplex?: 'half' }): Promise<Response>;
}

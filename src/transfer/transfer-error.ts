/** A failure that whoever started the transfer can mend; `kind` as in the table of kinds. */
export class TransferError extends Error {
  override readonly name = 'TransferError';
  readonly code: string;
  readonly kind: 'invalid' | 'not_found' | 'unavailable' | 'conflict' | 'unauthenticated';

  constructor(code: string, kind: TransferError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.kind = kind;
  }
}

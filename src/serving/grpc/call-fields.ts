const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** The headers of a call. What gRPC and every call look for is found once. */
export class CallFields {
  readonly method: string = '';
  readonly path: string = '';
  readonly contentType: string = '';
  readonly authorization: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly encoding: string | undefined;
  /** How long the client waits; NaN where what it says is no time. */
  readonly timeoutMs: number | undefined;
  private readonly fields: readonly string[];

  /** Names and values in turn. */
  constructor(fields: readonly string[]) {
    this.fields = fields;
    let authority: string | undefined;
    for (let index = 0; index < fields.length; index += 2) {
      const value = fields[index + 1] as string;
      switch (fields[index]) {
        case ':method':
          this.method = value;
          break;
        case ':path':
          this.path = value;
          break;
        case ':authority':
          authority = value;
          break;
        case 'content-type':
          this.contentType = value;
          break;
        case 'authorization':
          this.authorization ??= value;
          break;
        case 'host':
          this.host ??= value;
          break;
        case 'origin':
          this.origin ??= value;
          break;
        case 'grpc-encoding':
          this.encoding ??= value;
          break;
        case 'grpc-timeout':
          this.timeoutMs ??= readTimeout(value);
          break;
        default:
      }
    }
    this.host = authority ?? this.host;
  }

  find(name: string): string | undefined {
    const { fields } = this;
    for (let index = 0; index < fields.length; index += 2) if (fields[index] === name) return fields[index + 1];
    return undefined;
  }
}

function readTimeout(text: string): number {
  const unit = unitMs[text.slice(-1)];
  return unit === undefined || !/^\d{1,8}.$/.test(text) ? Number.NaN : Number(text.slice(0, -1)) * unit;
}

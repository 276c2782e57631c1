/** The parts of a request with binary inputs, as a client without a library would put them together. */
export function binaryRequest(header: unknown, ...chunks: readonly Uint8Array[]) {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  return {
    body: Buffer.concat([json, ...chunks]),
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(json.length),
    },
  };
}

/** BYTES as the binary extension writes them. */
export function bytesOf(...texts: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text as string);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

export interface BinaryOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[];
  /** What lies behind the JSON for it. */
  readonly bytes?: Buffer;
}

/** The answer's JSON, with each output's bytes beside it. */
export async function readBinaryAnswer(response: Response) {
  const body = Buffer.from(await response.arrayBuffer());
  const headerBytes = Number(response.headers.get('inference-header-content-length') ?? body.length);
  const { outputs, ...head } = JSON.parse(body.toString('utf8', 0, headerBytes)) as {
    readonly outputs: readonly (BinaryOutput & { readonly parameters?: { readonly binary_data_size: number } })[];
  } & Readonly<Record<string, unknown>>;
  let at = headerBytes;
  const read = outputs.map(({ parameters, ...output }): BinaryOutput => {
    if (parameters === undefined) return output;
    const bytes = body.subarray(at, at + parameters.binary_data_size);
    at += bytes.length;
    return { ...output, bytes };
  });
  if (at !== body.length) throw new Error(`${body.length - at} bytes are left behind the last output`);
  return { head, headerBytes, outputs: read };
}

import { fileURLToPath } from 'node:url';
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** A client made from `inference.proto` by another implementation of protobuf than ours. */
export const protoPath = fileURLToPath(new URL('../inference.proto', import.meta.url));
export const protoOptions = { keepCase: true, longs: String, defaults: true, oneofs: true, enums: String } as const;
const definition = loadSync(protoPath, protoOptions);
const { inference } = loadPackageDefinition(definition) as unknown as {
  readonly inference: { readonly GRPCInferenceService: ServiceClientConstructor };
};

const service = definition['inference.GRPCInferenceService'] as unknown as Record<
  string,
  { readonly requestSerialize: (value: unknown) => Buffer; readonly responseDeserialize: (bytes: Buffer) => unknown }
>;
/** The bytes of a `ModelInferRequest`. */
export const inferMessage = (request: unknown): Buffer =>
  service['ModelInfer']?.requestSerialize(request) ?? Buffer.alloc(0);

/** A `ModelInferResponse` from its bytes. */
export const readInferMessage = (bytes: Buffer): unknown => service['ModelInfer']?.responseDeserialize(bytes);

export interface GrpcAnswer {
  readonly code: number;
  readonly details: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** What came after the answer, or with the failure. */
  readonly trailers: Readonly<Record<string, unknown>>;
}

export interface TestClient {
  call(method: string, request: unknown, options?: CallOptions): Promise<GrpcAnswer>;
  /** Raw bytes as the message of any path; the answer's bytes. */
  send(path: string, bytes: Buffer, options?: CallOptions): Promise<{ code: number; details: string; bytes: Buffer }>;
  stream(): ClientDuplexStream<unknown, StreamAnswer>;
  /** Bytes there and back over a path of many answers. */
  watch(path: string, bytes: Buffer): ClientReadableStream<Buffer>;
  converse(path: string): ClientDuplexStream<Buffer, Buffer>;
  close(): void;
}

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Hears how to give the call up. */
  readonly started?: (cancel: () => void) => void;
}

export interface StreamAnswer {
  readonly error_message: string;
  readonly infer_response: Readonly<Record<string, unknown>> & { readonly id: string };
}

const asItIs = (bytes: Buffer): Buffer => bytes;

const ask = <Value>(
  { metadata = {}, timeoutMs, started }: CallOptions,
  start: (
    metadata: Metadata,
    options: { readonly deadline?: number },
    done: (error: ServiceError | null, value?: Value) => void,
  ) => { on(event: 'status', listener: (status: { metadata: Metadata }) => void): unknown; cancel(): void },
): Promise<{ code: number; details: string; value: Value | undefined; trailers: Record<string, unknown> }> =>
  new Promise((resolve) => {
    const sent = new Metadata();
    for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
    let outcome = { code: 0, details: '', value: undefined as Value | undefined };
    let answered = false;
    let trailers: Record<string, unknown> | undefined;
    const settle = (): void => {
      if (answered && trailers !== undefined) resolve({ ...outcome, trailers });
    };
    const call = start(sent, timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs }, (error, value) => {
      outcome = { code: error?.code ?? 0, details: error?.details ?? '', value };
      answered = true;
      settle();
    });
    call.on('status', (status) => {
      trailers = status.metadata.getMap();
      settle();
    });
    started?.(() => call.cancel());
  });

export function createTestClient(address: string): TestClient {
  const limits = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
  const own = new inference.GRPCInferenceService(address, credentials.createInsecure(), limits);
  const raw = new Client(address, credentials.createInsecure(), limits);

  return {
    async call(method, request, options = {}) {
      const { value, ...rest } = await ask<Record<string, unknown>>(options, (metadata, settings, done) => {
        const start = own[method] as (...args: unknown[]) => ReturnType<Client['makeUnaryRequest']>;
        return start.call(own, request, metadata, settings, done);
      });
      return { ...rest, value: value ?? {} };
    },
    async send(path, bytes, options = {}) {
      const { code, details, value } = await ask<Buffer>(options, (metadata, settings, done) =>
        raw.makeUnaryRequest(path, asItIs, asItIs, bytes, metadata, settings, done),
      );
      return { code, details, bytes: value ?? Buffer.alloc(0) };
    },
    stream: () => (own['ModelStreamInfer'] as () => ClientDuplexStream<unknown, StreamAnswer>).call(own),
    watch: (path, bytes) => raw.makeServerStreamRequest(path, asItIs, asItIs, bytes),
    converse: (path) => raw.makeBidiStreamRequest(path, asItIs, asItIs),
    close() {
      own.close();
      raw.close();
    },
  };
}

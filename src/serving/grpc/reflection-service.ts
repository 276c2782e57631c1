import { describeFile } from './file-descriptor.ts';
import type { GrpcMethod } from './grpc-call.ts';
import type { OpenStreams } from './open-streams.ts';
import {
  choice,
  decodeMessage,
  encodeMessage,
  type Loose,
  type MessageValue,
  many,
  message,
  one,
} from './proto-message.ts';
import { fullName, type ServiceDescription } from './proto-service.ts';
import { status } from './status-codes.ts';

/**
 * Server reflection, by which grpcurl and its like learn what is here. Two versions of one protocol, alike but for their
 * package: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 */
function describeReflection(version: 'v1' | 'v1alpha') {
  const name = (suffix: string) => `grpc.reflection.${version}.${suffix}`;
  const request = message(name('ServerReflectionRequest'), {
    host: one(1, 'string'),
    file_by_filename: choice('message_request', 3, 'string'),
    file_containing_symbol: choice('message_request', 4, 'string'),
    file_containing_extension: choice(
      'message_request',
      5,
      message(name('ExtensionRequest'), { containing_type: one(1, 'string'), extension_number: one(2, 'int32') }),
    ),
    all_extension_numbers_of_type: choice('message_request', 6, 'string'),
    list_services: choice('message_request', 7, 'string'),
  });
  const response = message(name('ServerReflectionResponse'), {
    valid_host: one(1, 'string'),
    original_request: one(2, request),
    file_descriptor_response: choice(
      'message_response',
      4,
      message(name('FileDescriptorResponse'), { file_descriptor_proto: many(1, 'bytes') }),
    ),
    all_extension_numbers_response: choice(
      'message_response',
      5,
      message(name('ExtensionNumberResponse'), {
        base_type_name: one(1, 'string'),
        extension_number: many(2, 'int32'),
      }),
    ),
    list_services_response: choice(
      'message_response',
      6,
      message(name('ListServiceResponse'), {
        service: many(1, message(name('ServiceResponse'), { name: one(1, 'string') })),
      }),
    ),
    error_response: choice(
      'message_response',
      7,
      message(name('ErrorResponse'), { error_code: one(1, 'int32'), error_message: one(2, 'string') }),
    ),
  });
  return {
    file: `grpc/reflection/${version}/reflection.proto`,
    package: `grpc.reflection.${version}`,
    name: 'ServerReflection',
    calls: { ServerReflectionInfo: { request, response, streams: 'both' } },
  } as const satisfies ServiceDescription;
}

export const reflectionServices = [describeReflection('v1'), describeReflection('v1alpha')] as const;
type Reflection = (typeof reflectionServices)[number];
type Request = MessageValue<Reflection['calls']['ServerReflectionInfo']['request']>;
type Response = Loose<MessageValue<Reflection['calls']['ServerReflectionInfo']['response']>>;

const notFound = (what: string): Response => ({
  error_response: { error_code: status.NOT_FOUND, error_message: `there is no ${what.slice(0, 200)} here` },
});

export function createReflectionService(
  reflection: Reflection,
  services: readonly ServiceDescription[],
  streams: OpenStreams,
): { readonly ServerReflectionInfo: GrpcMethod } {
  const { request, response } = reflection.calls.ServerReflectionInfo;
  let described: ReturnType<typeof describeFile>[] | undefined;
  const files = () => (described ??= services.map(describeFile));

  const fileOf = (what: string, isIt: (file: ReturnType<typeof describeFile>) => boolean): Response => {
    const found = files().find(isIt);
    return found === undefined
      ? notFound(what)
      : { file_descriptor_response: { file_descriptor_proto: [found.bytes] } };
  };

  function answer(asked: Request): Response {
    const { file_by_filename: file, file_containing_symbol: symbol, all_extension_numbers_of_type: type } = asked;
    if (asked.list_services !== undefined)
      return { list_services_response: { service: services.map((service) => ({ name: fullName(service) })) } };
    if (file !== undefined) return fileOf(`file "${file}"`, ({ name }) => name === file);
    if (symbol !== undefined) return fileOf(`symbol "${symbol}"`, ({ symbols }) => symbols.has(symbol));
    if (type !== undefined && files().some(({ symbols }) => symbols.has(type)))
      return { all_extension_numbers_response: { base_type_name: type } };
    return notFound(type === undefined ? 'extension' : `type "${type}"`);
  }

  return {
    ServerReflectionInfo: {
      stream(call) {
        streams.add(call, () => call.end());
        return {
          message(bytes) {
            call.release(bytes);
            const asked = decodeMessage<Request>(request, bytes);
            call.send(encodeMessage(response, { valid_host: asked.host, original_request: asked, ...answer(asked) }));
            const taken = call.sent();
            if (taken === undefined) return;
            call.pause(); // a few bytes ask for many
            void taken.then(() => call.resume());
          },
          end: () => call.end(),
        };
      },
    },
  };
}

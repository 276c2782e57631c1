import {
  choice,
  type EnumType,
  encodeMessage,
  isMessage,
  type Loose,
  type Message,
  type MessageValue,
  many,
  message,
  type NamedField,
  one,
} from './proto-message.ts';
import { fullName, type ServiceDescription } from './proto-service.ts';

/**
 * A service as google.protobuf.FileDescriptorProto, which clients of reflection read; made from the description that
 * reads and writes its messages. Fields by https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto
 */
const field = message('google.protobuf.FieldDescriptorProto', {
  name: one(1, 'string'),
  number: one(3, 'int32'),
  label: one(4, 'int32'),
  type: one(5, 'int32'),
  type_name: one(6, 'string'),
  oneof_index: choice('presence', 9, 'int32'),
});
const enumType = message('google.protobuf.EnumDescriptorProto', {
  name: one(1, 'string'),
  value: many(
    2,
    message('google.protobuf.EnumValueDescriptorProto', {
      name: one(1, 'string'),
      number: choice('presence', 2, 'int32'),
    }),
  ),
});
const options = message('google.protobuf.MessageOptions', { map_entry: one(7, 'bool') });
const oneofType = message('google.protobuf.OneofDescriptorProto', { name: one(1, 'string') });
/** Three deep, as deep as the messages here lie in one another. */
const innermost = message('google.protobuf.DescriptorProto', {
  name: one(1, 'string'),
  field: many(2, field),
  enum_type: many(4, enumType),
  options: one(7, options),
  oneof_decl: many(8, oneofType),
});
const inner = message('google.protobuf.DescriptorProto', {
  name: one(1, 'string'),
  field: many(2, field),
  nested_type: many(3, innermost),
  enum_type: many(4, enumType),
  options: one(7, options),
  oneof_decl: many(8, oneofType),
});
const outer = message('google.protobuf.DescriptorProto', {
  name: one(1, 'string'),
  field: many(2, field),
  nested_type: many(3, inner),
  enum_type: many(4, enumType),
  options: one(7, options),
  oneof_decl: many(8, oneofType),
});
const service = message('google.protobuf.ServiceDescriptorProto', {
  name: one(1, 'string'),
  method: many(
    2,
    message('google.protobuf.MethodDescriptorProto', {
      name: one(1, 'string'),
      input_type: one(2, 'string'),
      output_type: one(3, 'string'),
      client_streaming: one(5, 'bool'),
      server_streaming: one(6, 'bool'),
    }),
  ),
});
export const fileDescriptor = message('google.protobuf.FileDescriptorProto', {
  name: one(1, 'string'),
  package: one(2, 'string'),
  message_type: many(4, outer),
  enum_type: many(5, enumType),
  service: many(6, service),
  syntax: one(12, 'string'),
});

type Descriptor = Loose<MessageValue<typeof outer>>;

export interface DescribedFile {
  readonly name: string;
  readonly bytes: Buffer;
  /** Full names of the service, its calls, its messages and its enumerations. */
  readonly symbols: ReadonlySet<string>;
}

export function describeFile(description: ServiceDescription): DescribedFile {
  const calls = Object.entries(description.calls);
  const messages = new Map<string, Message>();
  const enums = new Map<string, EnumType>();
  for (const [, { request, response }] of calls) {
    collect(request, messages, enums);
    collect(response, messages, enums);
  }
  const describeEnums = (place: string) =>
    [...enums.values()].filter(({ name }) => placeOf(name) === place).map(describeEnum);
  const describe = (described: Message): Descriptor => ({
    ...describeMessage(
      described,
      [...messages.values()].filter(({ name }) => placeOf(name) === described.name).map(describe),
    ),
    enum_type: describeEnums(described.name),
  });
  const methods = calls.map(([name, { request, response, streams }]) => ({
    name,
    input_type: `.${request.name}`,
    output_type: `.${response.name}`,
    client_streaming: streams === 'both',
    server_streaming: streams !== undefined,
  }));
  const own = fullName(description);
  return {
    name: description.file,
    bytes: encodeMessage(fileDescriptor, {
      name: description.file,
      package: description.package,
      message_type: [...messages.values()].filter(({ name }) => placeOf(name) === description.package).map(describe),
      enum_type: describeEnums(description.package),
      service: [{ name: description.name, method: methods }],
      syntax: 'proto3',
    }),
    symbols: new Set([own, ...calls.map(([name]) => `${own}.${name}`), ...messages.keys(), ...enums.keys()]),
  };
}

function collect(found: Message, messages: Map<string, Message>, enums: Map<string, EnumType>): void {
  if (messages.has(found.name)) return;
  messages.set(found.name, found);
  for (const { type } of found.fields) {
    if (isMessage(type)) collect(type, messages, enums);
    else if (typeof type === 'object') enums.set(type.name, type);
  }
}

/** What a full name lies in: a package, or a message. */
const placeOf = (name: string): string => name.slice(0, name.lastIndexOf('.'));
const ownName = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

function describeEnum({ name, values }: EnumType): Loose<MessageValue<typeof enumType>> {
  return { name: ownName(name), value: Object.entries(values).map(([key, number]) => ({ name: key, number })) };
}

function describeMessage({ name, fields }: Message, nested: readonly Descriptor[]): Descriptor {
  const oneofs = [...new Set(fields.flatMap(({ oneof }) => oneof ?? []))];
  return {
    name: ownName(name),
    field: fields.map((described) => describeField(described, name, oneofs)),
    nested_type: [...nested, ...fields.filter(({ label }) => label === 'map').map(describeEntry)],
    oneof_decl: oneofs.map((oneof) => ({ name: oneof })),
  };
}

/** `type` of FieldDescriptorProto. */
const typeNumbers = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
} as const;
const labels = { optional: 1, repeated: 3 } as const;

const entryName = (name: string): string =>
  `${name.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())}Entry`;

function describeField(
  { name, number, type, label, oneof }: Omit<NamedField, 'value'>,
  place: string,
  oneofs: readonly string[],
): Loose<MessageValue<typeof field>> {
  const isMap = label === 'map';
  return {
    name,
    number,
    label: label === 'one' ? labels.optional : labels.repeated,
    type:
      typeof type === 'string' && !isMap
        ? typeNumbers[type]
        : isMap || isMessage(type)
          ? typeNumbers.message
          : typeNumbers.enum,
    ...(isMap && { type_name: `.${place}.${entryName(name)}` }),
    ...(!isMap && typeof type === 'object' && { type_name: `.${type.name}` }),
    ...(oneof !== undefined && { oneof_index: oneofs.indexOf(oneof) }),
  };
}

/** A map is a list of messages of key and value. */
function describeEntry({ name, type }: NamedField): Loose<MessageValue<typeof inner>> {
  const fields = [
    { name: 'key', number: 1, type: 'string', label: 'one' },
    { name: 'value', number: 2, type, label: 'one' },
  ] as const;
  return {
    name: entryName(name),
    field: fields.map((described) => describeField(described, '', [])),
    options: { map_entry: true },
  };
}

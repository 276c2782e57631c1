import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { datatypes, type ModelSignature, type TensorSignature } from '#contracts/tensor';
import { tritonTypeOf } from '../model-info.ts';
import { isFile, readIfThere } from './local-files.ts';
import type { LocalModel } from './local-model.ts';
import { parseTextProto, type TextProto, TextProtoError } from './text-proto.ts';

/*
 * A model of a Triton repository: `<name>/config.pbtxt`, which may be missing, and `<name>/<version>/model.onnx`.
 * https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html
 */
const configFile = 'config.pbtxt';
const defaultFile = 'model.onnx';
const versionPattern = /^[1-9]\d*$/;

/** Of a tensor whose dimensions the configuration has otherwise than the model; in words that Triton reads alike. */
export function explainTritonSignature(mainPath: string): string | undefined {
  const file = join(dirname(dirname(mainPath)), configFile);
  return existsSync(file)
    ? `it is declared in ${file}: dims are those of the model, with max_batch_size without the first; for one value a row write dims: [ 1 ] reshape: { shape: [ ] }`
    : undefined;
}

/** Whether a folder is such a model. */
export async function isTritonModel(folder: string): Promise<boolean> {
  const names = await readdir(folder);
  if (names.includes(configFile)) return true;
  for (const name of names)
    if (versionPattern.test(name) && (await isFile(join(folder, name, defaultFile)))) return true;
  return false;
}

export async function readTritonModel(folder: string): Promise<LocalModel> {
  const name = basename(folder);
  const refuse = (problem: string): LocalModel => ({ name, path: folder, versions: [], warnings: [], problem });
  let config: TextProto;
  try {
    config = parseTextProto((await readIfThere(join(folder, configFile))) ?? '');
  } catch (error) {
    if (error instanceof TextProtoError) return refuse(`${join(folder, configFile)}, ${error.message}`);
    throw error;
  }
  const declared = textOf(config, 'name');
  if (declared !== undefined && declared !== name)
    return refuse(`${join(folder, configFile)} names it "${declared}", its folder is "${name}": both must be the same`);
  const backend = textOf(config, 'backend') ?? textOf(config, 'platform') ?? 'onnxruntime';
  if (backend !== 'onnxruntime' && backend !== 'onnxruntime_onnx')
    return refuse(`its backend "${backend}" is not served here; "onnxruntime" is`);
  const file = textOf(config, 'default_model_filename') ?? defaultFile;
  if (/[/\\]/.test(file)) return refuse(`default_model_filename "${file}" must be a name without a folder`);

  const found: string[] = [];
  for (const entry of await readdir(folder))
    if (versionPattern.test(entry) && (await isFile(join(folder, entry, file)))) found.push(entry);
  const numbers = found.map(Number).toSorted((a, b) => a - b);
  const chosen = chooseVersions(numbers, messageOf(config, 'version_policy'));
  if (chosen.length === 0)
    return refuse(
      numbers.length === 0
        ? `it has no version: ${join(folder, '1', file)} is missing`
        : `none of its versions ${numbers.join(', ')} is among those that version_policy names`,
    );
  const maxBatchSize = numberOf(config, 'max_batch_size') ?? 0;
  const signature = toSignature(config, maxBatchSize > 0);
  if (typeof signature === 'string') return refuse(`${join(folder, configFile)}: ${signature}`);
  const instances = countInstances(config, join(folder, configFile));
  if (typeof instances === 'string') return refuse(instances);
  const batching = messageOf(config, 'dynamic_batching');
  const delayUs = batching && numberOf(batching, 'max_queue_delay_microseconds');
  return {
    name,
    path: folder,
    warnings: [
      ...Object.keys(config)
        .filter((field) => !known.has(field))
        .map((field) => `"${field}" in ${join(folder, configFile)} has no effect here`),
      ...unfollowed(config, join(folder, configFile)),
    ],
    ...(instances !== undefined && { instances }),
    versions: chosen.map((version) => ({
      version: String(version),
      runtime: 'onnx',
      path: join(folder, String(version), file),
      ...(signature !== undefined && { signature }),
      ...(configured(config) && { maxBatchRows: batching === undefined ? 1 : Math.max(1, maxBatchSize) }),
      ...(delayUs !== undefined && delayUs > 0 && { maxBatchDelayMs: delayUs / 1_000 }),
    })),
  };
}

/** Fields that are followed, or that say nothing which is not so here anyway. */
const known: ReadonlySet<string> = new Set([
  'name',
  'platform',
  'backend',
  'default_model_filename',
  'max_batch_size',
  'input',
  'output',
  'version_policy',
  'dynamic_batching',
  'instance_group',
]);

/** Parts of what is followed that are not: where an instance runs, on which terms of batches, other shapes than the model's. */
function unfollowed(config: TextProto, file: string): readonly string[] {
  const of = (field: string, followed: readonly string[]) =>
    (config[field] ?? []).flatMap((value) =>
      typeof value === 'object' ? Object.keys(value).filter((part) => !followed.includes(part)) : [],
    );
  const parts = [
    ...of('instance_group', ['name', 'count']).map((part) => `instance_group.${part}`),
    ...of('dynamic_batching', ['max_queue_delay_microseconds']).map((part) => `dynamic_batching.${part}`),
    ...(['input', 'output'] as const).flatMap((side) =>
      (config[side] ?? []).flatMap((value) =>
        typeof value === 'object' && 'reshape' in value ? [`${side}.reshape`] : [],
      ),
    ),
  ].filter((part) => !isCpu(config, part));
  return [...new Set(parts)].map((part) => `"${part}" in ${file} has no effect here`);
}

/** That an instance runs on the processor is so anyway. */
const isCpu = (config: TextProto, part: string): boolean =>
  part === 'instance_group.kind' &&
  (config['instance_group'] ?? []).every(
    (group) => typeof group === 'object' && ['KIND_CPU', 'KIND_AUTO', undefined].includes(textOf(group, 'kind')),
  );

const mostInstances = 64;

/** Of all groups together; a group without a count is one. A text says what is wrong. */
function countInstances(config: TextProto, file: string): number | undefined | string {
  const groups = (config['instance_group'] ?? []).filter((value): value is TextProto => typeof value === 'object');
  if (groups.length === 0) return undefined;
  const counts = groups.map((group) => numberOf(group, 'count') ?? 1);
  const count = counts.reduce((sum, one) => sum + one, 0);
  return counts.every((one) => Number.isSafeInteger(one) && one > 0) && count <= mostInstances
    ? count
    : `instance_group in ${file} takes counts from 1 on, ${mostInstances} together at most`;
}

/** What to do with batches is said; without a configuration ours is as good as any. */
const configured = (config: TextProto) => 'max_batch_size' in config || 'dynamic_batching' in config;

function chooseVersions(numbers: readonly number[], policy: TextProto | undefined): readonly number[] {
  if (policy !== undefined && 'all' in policy) return numbers;
  const specific = policy && messageOf(policy, 'specific');
  if (specific !== undefined) return numbers.filter((number) => (specific['versions'] ?? []).includes(number));
  const latest = policy && messageOf(policy, 'latest');
  const count = (latest && numberOf(latest, 'num_versions')) ?? 1;
  return count < 1 ? [] : numbers.slice(-count);
}

/** With batches, a dimension for the rows comes first; a text says why there is none. */
function toSignature(config: TextProto, batched: boolean): ModelSignature | undefined | string {
  const problems: string[] = [];
  const toTensor = (side: string, value: TextProto): TensorSignature => {
    const name = textOf(value, 'name') ?? '';
    const type = textOf(value, 'data_type') ?? '';
    const datatype = datatypes.find((one) => tritonTypeOf(one) === type);
    const reshaped = messageOf(value, 'reshape');
    const dims = (reshaped === undefined ? value['dims'] : reshaped['shape']) ?? []; // as the model has it
    if (name === '') problems.push(`an ${side} has no name`);
    if (datatype === undefined) problems.push(`${side} "${name}" has data_type "${type}", which is not served here`);
    if (!dims.every((d): d is number => Number.isSafeInteger(d) && (d === -1 || Number(d) >= 0)))
      problems.push(`${side} "${name}" has dims that are no numbers from -1 on`);
    return { name, datatype: datatype ?? 'FP32', shape: [...(batched ? [-1] : []), ...dims.map(Number)] };
  };
  const [inputs, outputs] = (['input', 'output'] as const).map((side) =>
    (config[side] ?? []).flatMap((value) => (typeof value === 'object' ? [toTensor(side, value)] : [])),
  ) as [TensorSignature[], TensorSignature[]];
  if (problems.length > 0) return problems.join('; ');
  return inputs.length === 0 ? undefined : { inputs, outputs };
}

// of a field that is given more than once, the last counts, as in protocol buffers
const lastOf = (message: TextProto, field: string) =>
  Object.hasOwn(message, field) ? message[field]?.at(-1) : undefined;

function textOf(message: TextProto, field: string): string | undefined {
  const value = lastOf(message, field);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberOf(message: TextProto, field: string): number | undefined {
  const value = lastOf(message, field);
  return typeof value === 'number' ? value : undefined;
}

function messageOf(message: TextProto, field: string): TextProto | undefined {
  const value = lastOf(message, field);
  return typeof value === 'object' ? value : undefined;
}

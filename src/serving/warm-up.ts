import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { SpecRevision } from '#contracts/deployment-spec';
import { emptyData, type ModelSignature, type Tensor } from '#contracts/tensor';
import { isAppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import { checkInputs } from '#runtimes/check-inputs';
import type { LoadedModel } from '#runtimes/runtime';
import { parseInferRequest } from './rest/infer-body.ts';
import { readInvocation, readParameters } from './scoring/invocation-body.ts';
import { servingErrors } from './serving-errors.ts';

/** A greater example is no warm-up but a batch. */
const maxExampleBytes = 4 * 1024 ** 2;

interface WarmUp {
  readonly what: string;
  readonly inputs: readonly Tensor[];
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/**
 * Runs a model before it is asked: with the requests that are declared, else with the example of its version's inputs.
 * WARM_UP_FAILED when it raises. Without either, one row of zeros is tried; a model may refuse such a row.
 *
 * @param folder where the version's files lie
 */
export async function warmUp(
  model: LoadedModel,
  signature: ModelSignature,
  { warmup = [], inputExample }: Pick<SpecRevision, 'warmup' | 'inputExample'>,
  folder: string,
  logger: Logger,
): Promise<void> {
  for (const [index, request] of warmup.entries()) {
    const what = `request ${index + 1} of "warmup"`;
    await run(model, what, () => ({ what, ...parseInferRequest(Buffer.from(JSON.stringify(request))) }), signature);
  }
  if (warmup.length > 0) return;
  const example =
    inputExample === undefined ? undefined : await readExample(join(folder, inputExample), signature, logger);
  if (example !== undefined) return run(model, example.what, () => example, signature);
  try {
    await model.predict(signature.inputs.map(zeroRow));
  } catch (error) {
    logger.debug({ err: error }, 'the model refused a row of zeros as warm-up');
  }
}

/** What may pass, as a process that was lost, is said as it is: the revision is then tried again. */
async function run(model: LoadedModel, what: string, read: () => WarmUp, signature: ModelSignature): Promise<void> {
  try {
    const { inputs, parameters = {} } = read();
    const own = model.takesParameters === true && Object.keys(parameters).length > 0 ? parameters : undefined;
    await model.predict(checkInputs(signature, inputs).inputs, undefined, own);
  } catch (error) {
    if (isAppError(error) && error.kind === 'unavailable') throw error;
    throw servingErrors.WARM_UP_FAILED(what, error instanceof Error ? error.message : String(error));
  }
}

/** Undefined, and told, when it has a form that callers cannot send either: that is no fault of the model. */
async function readExample(path: string, signature: ModelSignature, logger: Logger): Promise<WarmUp | undefined> {
  const name = basename(path);
  try {
    if ((await stat(path)).size > maxExampleBytes) throw new Error(`it is longer than ${maxExampleBytes} bytes`);
    const body = asInvocation(await readFile(path));
    const inputs = checkInputs(signature, readInvocation(body, signature)).inputs;
    return { what: `the example of its inputs, ${name}`, inputs, parameters: readParameters(body, 'params') };
  } catch (error) {
    logger.warn({ path, err: error }, `the model is not warmed up with ${name}, which cannot be read as a request`);
    return undefined;
  }
}

/** The older file has a table as Pandas splits it, without the name of that form around it. */
function asInvocation(body: Buffer): Buffer {
  const example = JSON.parse(body.toString()) as Readonly<Record<string, unknown>>;
  const isSplit = Array.isArray(example['data']) && example['dataframe_split'] === undefined;
  return isSplit ? Buffer.concat([Buffer.from('{"dataframe_split":'), body, Buffer.from('}')]) : body;
}

function zeroRow({ name, datatype, shape: declared }: ModelSignature['inputs'][number]): Tensor {
  const shape = declared.map((dimension) => Math.max(dimension, 1));
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  return {
    name,
    datatype,
    shape,
    data: datatype === 'BYTES' ? Array.from({ length: count }, () => '') : emptyData(datatype, count),
  };
}

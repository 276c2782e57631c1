import type { SpecEndpoint } from '#contracts/deployment-spec';
import type { RecordedTensor } from '#contracts/prediction-record';
import { areAllNamed, describeNames, findNamed, type NamedByRules } from '#contracts/redaction';
import { elementsPerRow, type ModelSignature, type Tensor, type TensorData } from '#contracts/tensor';

/** What of one revision's requests and answers may enter a record. */
export interface Redaction {
  /** What is kept out, as records tell it; the same list each time. */
  readonly keptOut: readonly string[];
  /** The tensors that are recorded; the values that are kept out of them are overwritten in a copy. */
  apply(tensors: readonly Tensor[]): readonly RecordedTensor[];
  /** Whether an input, or the column of that name, is kept out. */
  hides(column: string): boolean;
}

/** What of an endpoint's requests and answers may enter a record, as its description says now. */
export interface EndpointRedaction {
  /** Undefined: all of it. */
  of(revision: DescribedRevision): Redaction | undefined;
  /** Rules that do not say what to keep out, revision by revision. */
  readonly warnings: readonly string[];
}

interface DescribedRevision {
  readonly id: string;
  readonly modelRef: string;
  readonly signature: ModelSignature;
}

const nothing: EndpointRedaction = { of: () => undefined, warnings: [] };

/**
 * Which names a rule means is known where the signatures are, so it is worked out once for each description and what is
 * loaded for it. A rule that one revision has nowhere says nothing of it when each of its inputs has a name and another
 * revision has that name; else it may be one that we cannot see, and all is kept out: the inputs, and the outputs but for the
 * one that holds the score.
 */
export function planRedactions(
  { capture: { redact: rules = [] }, revisions: described }: SpecEndpoint,
  loaded: readonly DescribedRevision[],
): EndpointRedaction {
  if (rules.length === 0) return nothing;
  const named = loaded.map((revision) => ({ revision, found: findNamed(rules, revision.signature) }));
  const isNowhere = (rule: string) => named.every(({ found }) => found.unmatched.includes(rule));
  const warnings: string[] = [];
  const plans = new Map<string, Redaction>();
  for (const { revision, found } of named) {
    const { id, modelRef, signature } = revision;
    const unclear = found.unmatched.filter((rule) => isNowhere(rule) || !areAllNamed(signature.inputs));
    if (unclear.length === 0) {
      plans.set(id, createRedaction(rules, found));
      continue;
    }
    const score = described.find((one) => one.id === id)?.score?.replace(/\[\d+\]$/, '');
    const all = [...signature.inputs, ...signature.outputs.filter(({ name }) => name !== score)];
    const whole = new Set([...found.whole, ...all.map(({ name }) => name)]);
    plans.set(
      id,
      createRedaction([...rules, ...[...whole].filter((name) => !rules.includes(name))], { ...found, whole }),
    );
    warnings.push(
      `redact names ${unclear.map((rule) => `"${rule}"`).join(', ')}, which ${modelRef} does not have by that name: it has ${describeNames(signature)}. Until that is mended, all of its inputs and outputs are kept out of the records, but for the score`,
    );
  }
  // of one that has left nothing is known any more
  const closed: Redaction = { keptOut: rules, apply: () => [], hides: () => true };
  return { of: ({ id }) => plans.get(id) ?? closed, warnings };
}

function createRedaction(
  keptOut: readonly string[],
  { whole, places }: Pick<NamedByRules, 'whole' | 'places'>,
): Redaction {
  const isTouched = ({ name }: Tensor) => whole.has(name) || places.has(name);
  return {
    keptOut,
    hides: (column) => whole.has(column) || keptOut.includes(column),
    apply(tensors) {
      if (!tensors.some(isTouched)) return tensors;
      return tensors.flatMap((tensor): RecordedTensor[] => {
        if (whole.has(tensor.name)) return [];
        const withheld = places.get(tensor.name);
        return [withheld === undefined ? tensor : withhold(tensor, withheld)];
      });
    },
  };
}

function withhold(tensor: Tensor, withheld: readonly number[]): RecordedTensor {
  const { name, datatype, shape } = tensor;
  const size = elementsPerRow(tensor);
  const hidden = Array.from({ length: tensor.data.length / size }, (_, row) => withheld.map((at) => row * size + at));
  return { name, datatype, shape, data: overwrite(tensor, hidden.flat()), withheld };
}

function overwrite({ datatype, data }: Tensor, hidden: readonly number[]): TensorData {
  if (!ArrayBuffer.isView(data)) {
    const copy = [...data];
    for (const index of hidden) copy[index] = '';
    return copy;
  }
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const copy = data.slice();
    for (const index of hidden) copy[index] = 0n;
    return copy;
  }
  const copy = data.slice();
  for (const index of hidden) copy[index] = noValue(datatype);
  return copy;
}

/** NaN where the datatype has it. */
function noValue(datatype: Tensor['datatype']): number {
  if (datatype === 'FP32' || datatype === 'FP64') return Number.NaN;
  if (datatype === 'FP16') return 0x7e00;
  return datatype === 'BF16' ? 0x7fc0 : 0;
}

import { isHalf, type ModelSignature, type TensorSignature } from '#contracts/tensor';
import { servingErrors } from '../serving-errors.ts';

/**
 * How rows of a table fill the inputs of a model; made once a signature. An input with one value a row ([-1], [-1, 1]) is a
 * column of its name. One with several is filled by the row at once, by position, or by the names of its `columns` where
 * the signature has them.
 */
export interface RowPlan {
  /** Alike for signatures that take the same inputs. */
  readonly key: string;
  readonly inputs: readonly PlannedInput[];
  /** Whole inputs, and columns of those that name them. */
  readonly byName: ReadonlyMap<string, Target>;
  readonly targetCount: number;
  /** What a row without names holds, in order; undefined where an input has no fixed number of values a row. */
  readonly positions: readonly Target[] | undefined;
  /** The only input, when it has more than one value a row and no names for them. */
  readonly matrix: PlannedInput | undefined;
}

export interface PlannedInput {
  readonly at: number;
  readonly declared: TensorSignature;
  /** Dimensions of one row. */
  readonly rowShape: readonly number[];
  /** Values of one row; -1 when a dimension of it is free. */
  readonly width: number;
  readonly whole: Target;
  /** Where the signature names them. */
  readonly columns: readonly Target[];
}

export interface Target {
  /** Its place among all targets of the plan. */
  readonly id: number;
  readonly name: string;
  /** Which input. */
  readonly input: number;
  /** Which value of a row; -1: all of them. */
  readonly offset: number;
}

const plans = new WeakMap<ModelSignature, RowPlan>();

/** REQUEST_MALFORMED for a signature that no table can fill. */
export function planRows(signature: ModelSignature): RowPlan {
  const known = plans.get(signature);
  if (known !== undefined) return known;
  const plan = makePlan(signature);
  plans.set(signature, plan);
  return plan;
}

function makePlan({ inputs: declaredInputs }: ModelSignature): RowPlan {
  const byName = new Map<string, Target>();
  let targetCount = 0;
  const target = (name: string, input: number, offset: number): Target => {
    const made = { id: targetCount, name, input, offset };
    targetCount += 1;
    if (!byName.has(name)) byName.set(name, made);
    return made;
  };
  const inputs = declaredInputs.map((declared, at): PlannedInput => {
    if (isHalf(declared.datatype))
      throw servingErrors.REQUEST_MALFORMED(
        `input "${declared.name}" is ${declared.datatype}, which neither JSON nor CSV carries; send it to /v2/models/{model}/infer as binary data`,
      );
    const rowShape = declared.shape.slice(1);
    const width = rowShape.reduce((product, d) => (product < 0 || d < 0 ? -1 : product * d), 1);
    const names = rowShape.length === 1 && declared.columns?.length === width ? declared.columns : [];
    const whole = target(declared.name, at, -1);
    return { at, declared, rowShape, width, whole, columns: names.map((name, offset) => target(name, at, offset)) };
  });
  const [only] = inputs;
  const isMatrix = inputs.length === 1 && only !== undefined && only.width !== 1 && only.columns.length === 0;
  const isFlat = inputs.every(({ rowShape, width }) => rowShape.length <= 1 && width >= 0);
  const partsOf = ({ at, whole, width, columns }: PlannedInput): readonly Target[] => {
    if (width === 1) return [whole];
    if (columns.length > 0) return columns;
    return Array.from({ length: width }, (_, offset) => ({
      id: targetCount++,
      name: `${whole.name}[${offset}]`,
      input: at,
      offset,
    }));
  };
  const positions = isFlat ? inputs.flatMap(partsOf) : undefined;
  return {
    key: JSON.stringify(declaredInputs),
    inputs,
    byName,
    targetCount,
    positions,
    matrix: isMatrix ? only : undefined,
  };
}

import type { ModelSignature } from '#contracts/tensor';
import type { ParsedTensor } from '../infer-request.ts';
import { JsonCursor } from '../rest/json-cursor.ts';
import { servingErrors } from '../serving-errors.ts';
import { readValues } from './json-table.ts';
import { planRows } from './row-plan.ts';
import { TableReader } from './table-reader.ts';

/** The only signature that a model has here, by TensorFlow Serving's name for it. */
export const signatureName = 'serving_default';
const forms = ['instances', 'inputs'] as const;
const oneForm = 'the body must be a JSON object with either "instances" (rows) or "inputs" (columns)';

/** Which of its two forms a body has: rows are answered as `predictions`, columns as `outputs`. */
export type PredictForm = (typeof forms)[number];

export interface PredictTable {
  readonly form: PredictForm;
  readonly inputs: readonly ParsedTensor[];
}

/** The tensors of a request to `:predict`, as the signature of the model has them. REQUEST_MALFORMED. */
export function readPredict(body: Buffer, signature: ModelSignature): PredictTable {
  const table = new TableReader(planRows(signature), body.length, true);
  const cursor = new JsonCursor(body);
  let seen: PredictForm | undefined;
  if (!cursor.take(0x7b)) throw servingErrors.REQUEST_MALFORMED(`${oneForm}; it is ${cursor.describe()}`);
  if (!cursor.take(0x7d)) {
    do {
      const field = cursor.string();
      cursor.expect(0x3a);
      const form = forms.find((known) => known === field);
      if (field === 'signature_name') checkSignatureName(cursor.value());
      else if (form === undefined) cursor.skip();
      else {
        if (seen !== undefined) throw servingErrors.REQUEST_MALFORMED(`${oneForm}; it has more than one`);
        seen = form;
        if (form === 'instances' && cursor.peek() !== 0x5b)
          throw servingErrors.REQUEST_MALFORMED(`"instances" is ${cursor.describe()}; it takes a list of rows`);
        readValues(cursor, body, table);
      }
    } while (cursor.take(0x2c));
    cursor.expect(0x7d);
  }
  cursor.end();
  if (seen === undefined) throw servingErrors.REQUEST_MALFORMED(`${oneForm}; it has neither`);
  return { form: seen, inputs: table.finish() };
}

function checkSignatureName(name: unknown): void {
  if (name !== '' && name !== signatureName)
    throw servingErrors.REQUEST_MALFORMED(
      `"signature_name" must be "${signatureName}", the only one that models have here`,
    );
}

import { isUtf8 } from 'node:buffer';
import type { ModelSignature } from '#contracts/tensor';
import type { InferRequest, ParsedTensor } from '../infer-request.ts';
import { JsonCursor } from '../rest/json-cursor.ts';
import { servingErrors } from '../serving-errors.ts';
import { readCsv } from './csv-table.ts';
import { readRecords, readSplit, readValues } from './json-table.ts';
import { planRows } from './row-plan.ts';
import { TableReader } from './table-reader.ts';

const forms = ['dataframe_split', 'dataframe_records', 'instances', 'inputs'] as const;
type Form = (typeof forms)[number];
const oneForm =
  'the body must be a JSON object with exactly one of "dataframe_split", "dataframe_records", "instances", "inputs"';

/** The tensors of a request to MLflow's `/invocations` in JSON, as the signature of the model has them. REQUEST_MALFORMED. */
export function readInvocation(body: Buffer, signature: ModelSignature): readonly ParsedTensor[] {
  const table = new TableReader(planRows(signature), body.length);
  const cursor = new JsonCursor(body);
  let seen: Form | undefined;
  if (!cursor.take(0x7b))
    throw servingErrors.REQUEST_MALFORMED(`${oneForm}; it is ${body.length === 0 ? 'empty' : cursor.describe()}`);
  if (!cursor.take(0x7d)) {
    do {
      const field = cursor.string();
      cursor.expect(0x3a);
      const form = forms.find((known) => known === field);
      if (form === undefined) {
        cursor.skip();
        continue;
      }
      if (seen !== undefined) throw servingErrors.REQUEST_MALFORMED(`${oneForm}; it has "${seen}" and "${form}"`);
      seen = form;
      if (form === 'dataframe_split') readSplit(cursor, table);
      else if (form === 'dataframe_records') readRecords(cursor, body, table);
      else readValues(cursor, body, table);
    } while (cursor.take(0x2c));
    cursor.expect(0x7d);
  }
  cursor.end();
  if (seen === undefined) throw servingErrors.REQUEST_MALFORMED(`${oneForm}; it has none of them`);
  return table.finish();
}

/** The same from CSV with a header. */
export function readInvocationCsv(body: Buffer, signature: ModelSignature): readonly ParsedTensor[] {
  if (!isUtf8(body)) throw servingErrors.REQUEST_MALFORMED('the body is no UTF-8');
  const table = new TableReader(planRows(signature), body.length);
  readCsv(body, table);
  return table.finish();
}

/** A request whose table is read as the revision takes it that most likely answers, and again for another one. */
export function tableRequest(
  signature: ModelSignature,
  parameters: InferRequest['parameters'],
  read: (signature: ModelSignature) => readonly ParsedTensor[],
): InferRequest {
  const { key } = planRows(signature);
  const inputs = read(signature);
  return {
    id: undefined,
    parameters,
    inputs,
    outputs: undefined,
    readAs: (other) => (planRows(other).key === key ? inputs : read(other)),
  };
}

/** Parameters of a request, from a field at its top; found without reading its table where there is none. */
export function readParameters(body: Buffer, field: string): Readonly<Record<string, unknown>> {
  if (!body.includes(`"${field}"`)) return {};
  const cursor = new JsonCursor(body);
  let found: unknown;
  if (cursor.take(0x7b) && !cursor.take(0x7d)) {
    do {
      const name = cursor.string();
      cursor.expect(0x3a);
      if (name === field) found = cursor.value();
      else cursor.skip();
    } while (cursor.take(0x2c));
  }
  if (found === undefined || found === null) return {};
  if (typeof found !== 'object' || Array.isArray(found))
    throw servingErrors.REQUEST_MALFORMED(`"${field}" must be an object`);
  return found as Readonly<Record<string, unknown>>;
}

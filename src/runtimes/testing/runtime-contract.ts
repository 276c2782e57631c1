import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import type { Runtime } from '../runtime.ts';

export const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** A first use may have to build the program first. */
export const buildTimeoutMs = 120_000;

const int64 = (name: string, ...values: bigint[]): Tensor => ({
  name,
  datatype: 'INT64',
  shape: [values.length],
  data: BigInt64Array.from(values),
});

/** The same three models in the form of one runtime: the paths of what it loads. */
export interface ContractModels {
  /** Texts, integers and numbers, a column each: `score` is `distance` + 1, the others come out as they went in. */
  readonly columns: string;
  /** Of `x`, 30 FP32 a row: `label` and `probabilities`. */
  readonly twoOutputs: string;
  /** Value `index` of 10, 20, 30; raises for any other. */
  readonly gather: string;
  /** `blob` (BYTES) and `half` (BF16, two a row) back as they came; absent where the runtime cannot take them. */
  readonly echo?: string;
}

export const onnxModels: ContractModels = {
  columns: fixture('columns-1.onnx'),
  twoOutputs: fixture('breast-cancer.onnx'),
  gather: fixture('gather.onnx'),
};

/** What every runtime must do: in this thread, in another, or in a process. */
export function describeRuntime(name: string, models: ContractModels, create: () => Promise<Runtime>): void {
  describe(`${name} keeps the contract of runtimes`, () => {
    let runtime: Runtime;
    beforeAll(async () => {
      runtime = await create();
    }, buildTimeoutMs);
    afterAll(() => runtime.close());

    test('it declares inputs and outputs as the model does, -1 where a dimension is free', async () => {
      const model = await runtime.load({ mainPath: models.columns });
      expect(model.signature).toMatchObject({
        inputs: [
          { name: 'carrier', datatype: 'BYTES', shape: [-1, 1] },
          { name: 'flight', datatype: 'INT64', shape: [-1, 1] },
          { name: 'distance', datatype: 'FP32', shape: [-1, 1] },
        ],
        outputs: [
          { name: 'score', datatype: 'FP32', shape: [-1, 1] },
          { name: 'carrier_out', datatype: 'BYTES', shape: [-1, 1] },
          { name: 'flight_out', datatype: 'INT64', shape: [-1, 1] },
        ],
      });
      await model.unload();
    });

    test('texts and integers beyond 2^53 go in and come out unharmed, several rows at once', async () => {
      const model = await runtime.load({ mainPath: models.columns });
      const outputs = await model.predict([
        { name: 'carrier', datatype: 'BYTES', shape: [2, 1], data: ['UA', 'Zürich ✈'] },
        { name: 'flight', datatype: 'INT64', shape: [2, 1], data: BigInt64Array.of(2n ** 62n + 1n, -5n) },
        { name: 'distance', datatype: 'FP32', shape: [2, 1], data: Float32Array.of(1, 2) },
      ]);
      expect(outputs).toEqual([
        { name: 'score', datatype: 'FP32', shape: [2, 1], data: Float32Array.of(2, 3) },
        { name: 'carrier_out', datatype: 'BYTES', shape: [2, 1], data: ['UA', 'Zürich ✈'] },
        { name: 'flight_out', datatype: 'INT64', shape: [2, 1], data: BigInt64Array.of(2n ** 62n + 1n, -5n) },
      ]);
      await model.unload();
    });

    test.runIf(models.echo !== undefined)('bytes that are no text and BF16 go in and come out unharmed', async () => {
      const model = await runtime.load({ mainPath: models.echo ?? '' });
      const blob = ['Zürich ✈', Uint8Array.of(0xff, 0xfe, 0), '', Uint8Array.of(0xed, 0xa0, 0x80)];
      const half = Uint16Array.of(0x3f80, 0x8000, 0x7f80, 0xff80, 0x0001, 0x7f7f, 0x4049, 0xc2f7);
      const [blobOut, halfOut] = await model.predict(
        [
          { name: 'blob', datatype: 'BYTES', shape: [4, 1], data: blob },
          { name: 'half', datatype: 'BF16', shape: [4, 2], data: half },
        ],
        ['blob_out', 'half_out'],
      );
      expect(blobOut).toEqual({ name: 'blob_out', datatype: 'BYTES', shape: [4, 1], data: blob });
      expect(halfOut).toEqual({ name: 'half_out', datatype: 'BF16', shape: [4, 2], data: half });
      await model.unload();
    });

    test('only the outputs that are asked for are made, in that order', async () => {
      const model = await runtime.load({ mainPath: models.twoOutputs });
      const x: Tensor = { name: 'x', datatype: 'FP32', shape: [1, 30], data: new Float32Array(30) };
      expect((await model.predict([x], ['probabilities', 'label'])).map(({ name: output }) => output)).toEqual([
        'probabilities',
        'label',
      ]);
      expect((await model.predict([x], ['probabilities'])).map(({ name: output }) => output)).toEqual([
        'probabilities',
      ]);
      await model.unload();
    });

    test('a model that raises fails its own request and answers the next', async () => {
      const model = await runtime.load({ mainPath: models.gather });
      await expect(model.predict([int64('index', 7n)])).rejects.toMatchObject({
        code: 'MODEL_RUN_FAILED',
        kind: 'internal',
      });
      expect((await model.predict([int64('index', 2n)]))[0]?.data).toEqual(Float32Array.of(30));
      await model.unload();
    });

    test('a file that is no model is refused with a reason', async () => {
      const path = join(mkdtempSync(join(tmpdir(), 'tidemill-runtime-')), 'text.onnx');
      writeFileSync(path, 'this is no model');
      await expect(runtime.load({ mainPath: path })).rejects.toMatchObject({
        code: 'MODEL_LOAD_FAILED',
        kind: 'invalid',
      });
    });

    test('after unload it refuses, and unloading twice is harmless', async () => {
      const model = await runtime.load({ mainPath: models.gather });
      await model.unload();
      await model.unload();
      await expect(model.predict([int64('index', 1n)])).rejects.toMatchObject({ code: 'MODEL_UNLOADED' });
    });
  });
}

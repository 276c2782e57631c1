import { expect, test } from 'vitest';
import { compareAuc } from './auc.ts';
import { classificationMetrics, logLossOfRow } from './classification.ts';
import { momentsOf, varianceOf } from './moments.ts';
import { type PairedBootstrap, pairedBootstrap } from './paired.ts';
import { createRandom } from './random.ts';
import { scoredRows } from './scored-rows.ts';

const rows = scoredRows(400, 7);

const width = (given: PairedBootstrap | undefined): number =>
  given === undefined ? Number.NaN : given.interval.upper - given.interval.lower;

const repeat = <T>(values: readonly T[]): T[] => values.flatMap((value) => Array.from({ length: 9 }, () => value));

test('the point values are those of the metrics, and the interval is close to that of DeLong', () => {
  const bootstrap = pairedBootstrap(rows, { metric: 'auc', seed: 1, resamples: 2000 });
  const delong = compareAuc(rows.labels, rows.first, rows.second, 0.95);
  expect(bootstrap?.first).toBeCloseTo(delong?.first ?? Number.NaN, 12);
  expect(bootstrap?.difference).toBeCloseTo(delong?.difference ?? Number.NaN, 12);
  expect(Math.abs((bootstrap?.interval.lower ?? 9) - (delong?.interval.lower ?? 0))).toBeLessThan(0.005);
  expect(Math.abs((bootstrap?.interval.upper ?? 9) - (delong?.interval.upper ?? 0))).toBeLessThan(0.005);
});

test('log loss is compared too, and the interval is close to that of the mean difference', () => {
  const labels = rows.labels;
  const first = rows.first.map((score) => 0.1 + 0.8 * score);
  const second = rows.second.map((score) => 0.1 + 0.8 * score);
  const bootstrap = pairedBootstrap({ labels, first, second }, { metric: 'log-loss', seed: 1 });
  expect(bootstrap?.second).toBeCloseTo(classificationMetrics(labels, second)?.logLoss.value ?? Number.NaN, 12);
  const differences = labels.map((label, row) => {
    return logLossOfRow(label, second[row] as number) - logLossOfRow(label, first[row] as number);
  });
  const moments = momentsOf(differences);
  expect(bootstrap?.difference).toBeCloseTo(moments.mean, 12);
  const expected = 2 * 1.96 * Math.sqrt((varianceOf(moments) ?? Number.NaN) / labels.length);
  expect(Math.abs(width(bootstrap) / expected - 1)).toBeLessThan(0.1);
});

test('the seed fixes the interval', () => {
  const options = { metric: 'auc', resamples: 50, seed: 3 } as const;
  expect(pairedBootstrap(rows, options)).toEqual(pairedBootstrap(rows, options));
  expect(pairedBootstrap(rows, { ...options, seed: 4 })?.interval).not.toEqual(
    pairedBootstrap(rows, options)?.interval,
  );
});

test('a model compared with itself differs by nothing', () => {
  const same = pairedBootstrap({ ...rows, second: rows.first }, { metric: 'auc', resamples: 50, seed: 1 });
  expect(same?.interval).toEqual({ lower: 0, upper: 0, confidence: 0.95 });
});

test('rows that repeat within clusters give no false certainty', () => {
  const clusters = repeat(rows.labels.map((_, row) => row));
  const repeated = { labels: repeat(rows.labels), first: repeat(rows.first), second: repeat(rows.second) };
  const options = { metric: 'auc', resamples: 300, seed: 5 } as const;
  const single = width(pairedBootstrap(rows, options));
  expect(width(pairedBootstrap(repeated, options))).toBeLessThan(single / 2);
  const clustered = pairedBootstrap({ ...repeated, clusters }, options);
  expect(clustered?.clusters).toBe(400);
  expect(width(clustered)).toBeCloseTo(single, 12);
});

test('without both classes there is nothing to compare; a rare class is drawn until it is there', () => {
  expect(pairedBootstrap({ labels: [1], first: [0.1], second: [0.2] }, { metric: 'auc', seed: 1 })).toBeUndefined();
  expect(pairedBootstrap({ labels: [], first: [], second: [] }, { metric: 'log-loss', seed: 1 })).toBeUndefined();
  const rare = { labels: [1, 0, 0], first: [0.9, 0.2, 0.3], second: [0.2, 0.1, 0.3] };
  expect(pairedBootstrap(rare, { metric: 'auc', resamples: 100, seed: 1 })?.resamples).toBe(100);
});

test('options and rows that make no sense are refused', () => {
  expect(() => pairedBootstrap(rows, { metric: 'auc', seed: 1, confidence: 95 })).toThrow(RangeError);
  expect(() => pairedBootstrap(rows, { metric: 'auc', seed: 1, resamples: 0 })).toThrow(RangeError);
  expect(() => pairedBootstrap({ ...rows, clusters: [1] }, { metric: 'auc', seed: 1 })).toThrow('cluster numbers');
  expect(() => pairedBootstrap({ ...rows, labels: [1] }, { metric: 'auc', seed: 1 })).toThrow('must pair up');
});

test('1000 resamples of 20,000 rows take seconds at most', () => {
  const random = createRandom(6);
  const first = Float64Array.from({ length: 20_000 }, random.nextFloat);
  const labels = Uint8Array.from(first, (score) => (random.nextFloat() < score ? 1 : 0));
  const second = first.map((score) => score + random.nextFloat());
  const start = process.cpuUsage();
  const bootstrap = pairedBootstrap({ labels, first, second }, { metric: 'auc', seed: 1 });
  expect(bootstrap?.interval.upper).toBeLessThan(0);
  // Processor time, because a busy machine says nothing about the code. The goal is 2 s.
  expect(process.cpuUsage(start).user / 1e6).toBeLessThan(4);
});

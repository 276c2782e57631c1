import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { errorKinds, kindOfStatus } from '#contracts/error-kinds';
import { AppError, defineErrors, isAppError, kindTable, nearestName, withCause } from './errors.ts';

const errors = defineErrors({
  RUN_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no run ${id}`, help: 'list the runs' },
  PART_TOO_LARGE: {
    kind: 'too_large',
    message: (name: string, sizeBytes: number) => `${name} has ${sizeBytes} bytes`,
    details: (name: string, sizeBytes: number) => ({ name, sizeBytes }),
  },
});

describe('a declared error', () => {
  test('takes the arguments of its message and carries code, kind and details', () => {
    const error = errors.PART_TOO_LARGE('a.parquet', 7);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({
      code: 'PART_TOO_LARGE',
      kind: 'too_large',
      message: 'a.parquet has 7 bytes',
      details: { name: 'a.parquet', sizeBytes: 7 },
    });
    expectTypeOf(errors.RUN_NOT_FOUND).parameters.toEqualTypeOf<[id: string]>();
    // @ts-expect-error a wrong argument
    void (() => errors.RUN_NOT_FOUND(7));
    expect({ ...errors.RUN_NOT_FOUND }).toEqual({ code: 'RUN_NOT_FOUND', kind: 'not_found', help: 'list the runs' });
  });

  test('has a stack that starts where it was made', () => {
    expect(errors.RUN_NOT_FOUND('x').stack?.split('\n')[1]).toContain('errors.test');
  });

  test('is recognised by shape and by code', () => {
    const error = withCause(errors.RUN_NOT_FOUND('x'), new Error('below'));
    expect(isAppError(error)).toBe(true);
    expect(isAppError(error, 'RUN_NOT_FOUND')).toBe(true);
    expect(isAppError(error, 'OTHER')).toBe(false);
    expect(isAppError(Object.assign(new Error('no'), { code: 'ENOENT' }))).toBe(false);
    expect(error.cause).toMatchObject({ message: 'below' });
  });
});

test('each kind has a distinct HTTP status, so that a client can map back', () => {
  for (const kind of errorKinds) expect(kindOfStatus(kindTable[kind].http)).toBe(kind);
  expect(kindOfStatus(502)).toBe('unavailable');
  expect(kindOfStatus(415)).toBe('invalid');
  expect(kindOfStatus(507)).toBe('internal');
});

describe('the nearest name', () => {
  test('forgives one slip, a swap of neighbours and case', () => {
    expect(nearestName('datset', ['dataset', 'features'])).toBe('dataset');
    expect(nearestName('fligths', ['flights', 'weather'])).toBe('flights');
    expect(nearestName('Flights', ['flights'])).toBe('flights');
  });

  test('is none when nothing is near', () => {
    expect(nearestName('zebra', ['flights', 'weather'])).toBeUndefined();
    expect(nearestName('x', [])).toBeUndefined();
  });

  test('finds any known name behind one dropped letter', () => {
    const known = ['flights', 'departures', 'weather', 'origin_delays'];
    fc.assert(
      fc.property(fc.constantFrom(...known), fc.nat(), (name, at) => {
        const index = at % name.length;
        expect(nearestName(name.slice(0, index) + name.slice(index + 1), known)).toBe(name);
      }),
    );
  });
});

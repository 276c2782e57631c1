import { expect, test } from 'vitest';
import { parseServingOptions } from './serving-options.ts';

const parse = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  parseServingOptions(['--control-url', 'http://127.0.0.1:1', '--home', '/tmp/x', ...args], environment, '0');

test('limits are read from flags, else from the variables of their names', () => {
  expect(parse([])).toMatchObject({ memoryBytes: undefined, sklearnChecks: 'quick', maxConnections: 8_192 });
  const environment = {
    TIDEMILL_MEMORY_BYTES: '1000',
    TIDEMILL_REQUEST_MEMORY_BYTES: '2000',
    TIDEMILL_MAX_CONNECTIONS: '3',
    TIDEMILL_SPOOL_MAX_BYTES: '4000',
    TIDEMILL_GRPC_MAX_MESSAGE_BYTES: '5000',
    TIDEMILL_SKLEARN_CHECKS: 'full',
  };
  const read = { memoryBytes: 1000, requestMemoryBytes: 2000, maxConnections: 3, grpcMaxMessageBytes: 5000 };
  expect(parse([], environment)).toMatchObject({ ...read, spool: { maxBytes: 4000 }, sklearnChecks: 'full' });
  expect(parse(['--memory-bytes', '7', '--sklearn-checks', 'quick'], environment)).toMatchObject({
    memoryBytes: 7,
    sklearnChecks: 'quick',
  });
});

test('all that is wrong is told at once', () => {
  expect(() => parse(['--max-connections', 'many'], { TIDEMILL_SKLEARN_CHECKS: 'off' })).toThrow(
    /--sklearn-checks is "off"; it takes quick or full; --max-connections is "many"; it takes a whole number up to 1000000/,
  );
});

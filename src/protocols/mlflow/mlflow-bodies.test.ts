import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

const limitBytes = 32 * 1024 * 1024;
const path = '/api/2.0/mlflow/experiments/create';

describeDatabases('bodies that are too large or come slowly', (open) => {
  const { state } = useMlflow(open);

  /** A connection to the server, and all that it has answered once `until` is found in it. */
  async function openConnection() {
    const { app } = state.server;
    if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 });
    const address = app.server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    const socket = connect(address.port, '127.0.0.1');
    let answered = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answered += text));
    await once(socket, 'connect');
    return {
      socket,
      waitFor: async (pattern: RegExp): Promise<string> => {
        while (!pattern.test(answered)) await once(socket, 'data');
        return answered;
      },
    };
  }
  const head = (length: number, to = `/projects/${state.project}${path}`) =>
    `POST ${to} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

  test('a body over the limit is refused with 413 before it is read, in the form of MLflow', async () => {
    const { socket, waitFor } = await openConnection();
    socket.write(head(limitBytes + 1));
    const answer = await waitFor(/"message":/);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"error_code":"INVALID_PARAMETER_VALUE"');
    socket.destroy();
  });

  test('a body that comes in pieces is waited for, and the connection goes on', async () => {
    const { socket, waitFor } = await openConnection();
    for (const name of ['slow', 'next']) {
      const body = JSON.stringify({ name });
      socket.write(head(body.length));
      for (const character of body) {
        socket.write(character);
        await new Promise(setImmediate);
      }
      const id = name === 'slow' ? '"experiment_id":"1"' : '"experiment_id":"2"';
      expect(await waitFor(new RegExp(id))).toContain(id);
    }
    socket.destroy();
  });
});

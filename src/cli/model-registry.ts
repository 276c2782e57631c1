import { Readable } from 'node:stream';
import { artifactPath } from '#contracts/artifacts';
import { getModelVersion } from '#contracts/registry';
import type { Client } from '../sdk/index.ts';
import type { ModelRegistry } from '../serving/local/model-registry.ts';
import { CliError } from './context.ts';

/** Silence of the server after which it counts as away. */
const answerMs = 10_000;

/** No server is known, which for what serves by itself is as if it did not answer. */
class NoServer extends CliError {
  readonly kind = 'unavailable';
}

class NoAnswer extends CliError {
  readonly kind = 'unavailable';
}

/** The registry of the server that the command line is configured for; looked up at each call, for it may be started later. */
export function createModelRegistry(connect: () => Promise<Client>): ModelRegistry {
  async function reach(): Promise<Client> {
    return connect().catch((error: unknown) => {
      if (error instanceof CliError) throw new NoServer(error.code, error.exit, error.message);
      throw error;
    });
  }
  return {
    async find(model, at) {
      const client = await reach();
      const signal = AbortSignal.timeout(answerMs);
      return client.call(getModelVersion, { params: { model, at } }, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error;
        throw new NoAnswer('SERVER_UNREACHABLE', 6, `no answer from ${client.url} within ${answerMs / 1_000} s`);
      });
    },
    async open(sha256) {
      const client = await reach();
      const { body } = await client.request(artifactPath.replace(':sha256', sha256));
      return body === null ? Readable.from([]) : Readable.fromWeb(body);
    },
  };
}

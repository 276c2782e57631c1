import { onTestFinished } from 'vitest';
import type { PredictionRecord } from '#contracts/prediction-record';
import { type FakeControlPlane, startFakeControlPlane } from './fake-control-plane.ts';
import { columnsBody, fixture, post, startTestPlane } from './test-plane.ts';

/** All that is made here ends with its test, the last first. */
export async function aControlPlane(): Promise<FakeControlPlane> {
  const control = await startFakeControlPlane();
  onTestFinished(() => control.goAway());
  return control;
}

export async function aPlane(control: FakeControlPlane, home: string, more: Parameters<typeof startTestPlane>[2] = {}) {
  const plane = await startTestPlane(control, home, more);
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= plane.stop());
  onTestFinished(stop);
  return { ...plane, stop, infer: `${plane.url}/v2/models/m/infer` };
}

export const revisions = (control: FakeControlPlane) =>
  [control.revision('r1', fixture('columns-1.onnx')), control.revision('r2', fixture('columns-2.onnx'))] as const;
export const ready = (control: FakeControlPlane, generation: number) =>
  control.reported(
    ({ observed, endpoints }) =>
      observed?.generation === generation && endpoints.every(({ state }) => state === 'ready'),
  );
export const flush = async (control: FakeControlPlane, generation: number) => {
  control.publish({ flush: generation });
  await control.reported(({ flushed }) => flushed >= generation);
};
export const distanceOf = ({ inputs }: PredictionRecord) => Number(inputs[2]?.data[0]);
export const scores = (answer: { json: { outputs?: readonly { data: unknown[] }[] } }) =>
  answer.json.outputs?.[0]?.data[0];

/** Closed-loop callers until they are told to stop; what each answer was. */
export function callInLoops(url: string, callers: number) {
  let going = true;
  const answered: {
    readonly id: string;
    readonly status: number;
    readonly revision: string | null;
    readonly score: unknown;
  }[] = [];
  let failures = 0;
  const loops = Array.from({ length: callers }, async (_, caller) => {
    for (let turn = 0; going; turn += 1) {
      try {
        const answer = await post(url, columnsBody(caller * 1_000 + (turn % 1_000)));
        answered.push({
          id: answer.headers.get('x-tidemill-prediction-id') ?? '',
          status: answer.status,
          revision: answer.headers.get('x-tidemill-revision'),
          score: scores(answer),
        });
      } catch {
        failures += 1;
        if (going) return; // the server is gone
      }
    }
  });
  return {
    answered,
    get failures() {
      return failures;
    },
    async stop() {
      going = false;
      await Promise.all(loops);
    },
    reached: async (count: number) => {
      while (answered.length < count) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

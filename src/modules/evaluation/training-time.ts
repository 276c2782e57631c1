import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { TrainingTime } from '#contracts/worker-scoring';
import { lazily } from '#platform/lazily';

export type TrainingTime = Static<typeof TrainingTime>;

const shape = lazily(() => Compile(Type.Object({ train: Type.Object({ time: TrainingTime }) })));

/**
 * What a version keeps of its training rows' time, beside its signature; undefined when it keeps none: its rows had no
 * such column, or it was registered from elsewhere.
 */
export function trainingTimeOf(signature: unknown): TrainingTime | undefined {
  return shape().Check(signature) ? signature.train.time : undefined;
}

import type { Caller } from './access.ts';
import type { CallableEndpoints } from './callable-endpoints.ts';
import { servingErrors } from './serving-errors.ts';

/** What a caller may ask to be done with the models themselves; how depends on who decides what is served. */
export interface ModelControl {
  /** Whether it is done at all. */
  readonly byRequest: boolean;
  /** Resolves when the model answers. */
  load(project: string, model: string, caller: Caller): Promise<void>;
  /** Resolves when it is freed. */
  unload(project: string, model: string, caller: Caller): Promise<void>;
  /** Why a model that is there has no version. */
  readonly absence: (project: string, model: string) => string;
}

/** Whoever may call a model is told why not, all others as they are told of any model. */
function refuseAll(endpoints: CallableEndpoints, refusal: (what: string) => Error): Omit<ModelControl, 'absence'> {
  const refuse = (what: string) => async (project: string, model: string, caller: Caller) => {
    endpoints.find(project, model, caller);
    throw refusal(what);
  };
  return { byRequest: false, load: refuse('load a model'), unload: refuse('unload a model') };
}

/** A control plane decides. */
export const createManagedModels = (endpoints: CallableEndpoints): ModelControl => ({
  ...refuseAll(endpoints, servingErrors.MODELS_ARE_MANAGED),
  absence: () => 'declared, without a version to answer with yet',
});

/** It was decided when the server was started. */
export const createFixedModels = (
  endpoints: CallableEndpoints,
  { absence }: Pick<ModelControl, 'absence'>,
): ModelControl => ({
  ...refuseAll(endpoints, servingErrors.MODELS_ARE_FIXED),
  absence,
});

/** Whether parameters of a load bring what would stand for the model's own configuration or files. */
export const namesOverride = (parameters: readonly string[]): boolean =>
  parameters.some((name) => name === 'config' || name.startsWith('file:'));

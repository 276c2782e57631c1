import type { Caller } from './access.ts';
import type { CallableEndpoints } from './callable-endpoints.ts';
import { servingErrors } from './serving-errors.ts';

/** What a caller may ask to be done with the models themselves; how depends on who decides what is served. */
export interface ModelControl {
  /** Resolves when the model answers. */
  load(project: string, model: string, caller: Caller): Promise<void>;
  /** Resolves when it is freed. */
  unload(project: string, model: string, caller: Caller): Promise<void>;
}

/** A control plane decides: whoever may call a model is told so, all others as they are told of any model. */
export function createManagedModels(endpoints: CallableEndpoints): ModelControl {
  const refuse = (what: string) => async (project: string, model: string, caller: Caller) => {
    endpoints.find(project, model, caller);
    throw servingErrors.MODELS_ARE_MANAGED(what);
  };
  return { load: refuse('load a model'), unload: refuse('unload a model') };
}

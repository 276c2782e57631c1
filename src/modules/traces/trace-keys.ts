/** The names under which MLflow's clients keep what a trace is about. */
export const metadataKeys = {
  usage: 'mlflow.trace.tokenUsage',
  cost: 'mlflow.trace.cost',
  session: 'mlflow.trace.session',
  user: 'mlflow.trace.user',
  run: 'mlflow.sourceRun',
  model: 'mlflow.modelId',
} as const;
export const tagKeys = {
  name: 'mlflow.traceName',
  prompts: 'mlflow.linkedPrompts',
  artifactLocation: 'mlflow.artifactLocation',
  spansLocation: 'mlflow.trace.spansLocation',
} as const;

/** Counts of tokens as columns. */
export function usageColumns(usage: Readonly<Record<string, unknown>> | undefined) {
  const count = (key: string): number | null => {
    const value = usage?.[key];
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
  };
  return {
    input_tokens: count('input_tokens'),
    output_tokens: count('output_tokens'),
    total_tokens: count('total_tokens'),
    cache_read_tokens: count('cache_read_input_tokens'),
    cache_creation_tokens: count('cache_creation_input_tokens'),
  };
}

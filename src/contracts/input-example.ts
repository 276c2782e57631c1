/**
 * Where MLflow keeps the example of a model's inputs, beside its `MLmodel`: as its scoring server would be sent it, and,
 * from clients before 2.13, as the table or the tensors alone. Ours are kept so too.
 */
export const inputExampleFiles = ['serving_input_example.json', 'input_example.json'] as const;

/** The path of the example among a model's files; undefined when there is none. */
export function findInputExample(files: readonly { readonly path: string }[]): string | undefined {
  return inputExampleFiles.find((name) => files.some(({ path }) => path === name));
}

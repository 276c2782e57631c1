/** How a model's folder is run, and which file of it is loaded. */
export interface RunnableFolder {
  readonly runtime: 'onnx' | 'python' | 'command';
  readonly main: string;
}

const byExtension = { onnx: /\.onnx$/, python: /\.(?:pkl|pickle|joblib|pt|pth|pt2|ubj|xgb|lgb|bst)$/ } as const;

/**
 * What the names of a version's files say of how it is run; undefined when nothing is known by these names. A model that
 * MLflow logged is one in Python, unless it is an ONNX model, whose file MLflow puts beside its `MLmodel`.
 */
export function findRunnable(files: readonly { readonly path: string }[]): RunnableFolder | undefined {
  const names = files.map(({ path }) => path).filter((path) => !path.includes('/'));
  if (names.includes('MLmodel'))
    return names.includes('model.onnx')
      ? { runtime: 'onnx', main: 'model.onnx' }
      : { runtime: 'python', main: 'MLmodel' };
  if (names.includes('command.json')) return { runtime: 'command', main: 'command.json' };
  if (names.includes('model.py')) return { runtime: 'python', main: 'model.py' };
  for (const runtime of ['onnx', 'python'] as const) {
    const [main, ...others] = names.filter((name) => byExtension[runtime].test(name));
    if (main !== undefined && others.length === 0) return { runtime, main };
  }
  return undefined;
}

/** Makes the value at its first use: what a start does not need, such as a compiled schema, does not slow it. */
export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

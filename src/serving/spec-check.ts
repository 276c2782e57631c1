import type { DeploymentSpec } from '#contracts/deployment-spec';

/** Checks what arrived against the contract. The schema is loaded with the first spec, not at start. */
export async function checkSpec(value: unknown, pool: string): Promise<DeploymentSpec> {
  const [{ Value }, { DeploymentSpec: schema }] = await Promise.all([
    import('typebox/value'),
    import('#contracts/deployment-spec'),
  ]);
  if (!Value.Check(schema, value)) {
    const [first] = Value.Errors(schema, value);
    throw new Error(
      `the spec does not fit DeploymentSpec v1 at ${first?.instancePath || '/'}: ${first?.message ?? 'unknown'}`,
    );
  }
  if (value.pool !== pool) throw new Error(`the spec is for pool "${value.pool}", this data plane is of "${pool}"`);
  return value;
}

import type { ModelRecord, VersionRecord } from '#contracts/transfer';
import { ownerOfUri, type Source } from './source.ts';
import type { Row } from './sql-connection.ts';
import { number, optional, type SqlTables, text, toPairs } from './sql-tables.ts';

const stages = ['None', 'Staging', 'Production', 'Archived'] as const;

/** The registry of MLflow's database. */
export function createSqlRegistry({ select, rows, ofWorkspace, workspaceValue }: SqlTables): Pick<Source, 'models'> {
  async function versionsOf(name: string): Promise<VersionRecord[]> {
    const scope = workspaceValue('model_versions');
    const columns = [
      'version', 'creation_time', 'last_updated_time', 'description', 'user_id', 'current_stage', 'source', 'run_id',
      'run_link', 'storage_location',
    ]; // biome-ignore format: a list of columns
    const found = await rows(
      select('model_versions', columns, `where t.name = ?${ofWorkspace('model_versions')} order by t.version`),
      [name, ...scope],
    );
    const tags = await rows(
      select(
        'model_version_tags',
        ['version', 'key', 'value'],
        `where t.name = ?${ofWorkspace('model_version_tags')} order by t.key`,
      ),
      [name, ...workspaceValue('model_version_tags')],
    );
    // a deleted version keeps its row, without a source to speak of
    return found
      .filter((row) => row['current_stage'] !== 'Deleted_Internal')
      .map((row) => toVersionRecord(row, toPairs(tags.filter((tag) => tag['version'] === row['version']))));
  }

  return {
    async *models() {
      const columns = ['name', 'creation_time', 'last_updated_time', 'description'];
      const found = await rows(
        select('registered_models', columns, `where 1 = 1${ofWorkspace('registered_models')} order by t.name`),
        workspaceValue('registered_models'),
      );
      for (const row of found) {
        const name = text(row['name']);
        const tags = await rows(
          select(
            'registered_model_tags',
            ['key', 'value'],
            `where t.name = ?${ofWorkspace('registered_model_tags')} order by t.key`,
          ),
          [name, ...workspaceValue('registered_model_tags')],
        );
        const aliases = await rows(
          select(
            'registered_model_aliases',
            ['alias', 'version'],
            `where t.name = ?${ofWorkspace('registered_model_aliases')} order by t.alias`,
          ),
          [name, ...workspaceValue('registered_model_aliases')],
        );
        const record: ModelRecord = {
          name,
          description: text(row['description']),
          createdMs: number(row['creation_time']),
          updatedMs: number(row['last_updated_time'] ?? row['creation_time']),
          tags: toPairs(tags),
          aliases: aliases.map((alias) => ({ alias: text(alias['alias']), version: number(alias['version']) })),
          versions: await versionsOf(name),
        };
        yield record;
      }
    },
  };
}

function toVersionRecord(row: Row, tags: VersionRecord['tags']): VersionRecord {
  const [source, storage, runId] = [text(row['source']), text(row['storage_location']), optional(row['run_id'])];
  const owner = /^models:\/+(m-[0-9a-f]{32})/.exec(source)?.[1] ?? ownerOfUri(storage)?.id;
  return {
    version: number(row['version']),
    source,
    storageLocation: storage,
    ...(runId !== undefined && { trackingRunId: runId }),
    ...(owner?.startsWith('m-') === true && { loggedModelId: owner }),
    runLink: text(row['run_link']),
    description: text(row['description']),
    stage: stages.find((stage) => stage === row['current_stage']) ?? 'None',
    user: text(row['user_id']),
    createdMs: number(row['creation_time']),
    updatedMs: number(row['last_updated_time'] ?? row['creation_time']),
    tags,
    files: [],
  };
}

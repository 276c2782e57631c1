import type { Reader } from '#platform/database';
import type { ModelService } from './model-service.ts';
import type { PromotionService } from './promotion-service.ts';
import type { Page } from './registry-read-model.ts';
import type { FoundInRegistry, RegistrySearch } from './registry-search-read-model.ts';
import type { PromotionState } from './registry-tables.ts';
import type { ModelVersion, Promotion, RegisteredModel } from './registry-types.ts';
import type { VersionService } from './version-service.ts';

/** Models alone, or prompts alone; both unless it is said. */
export type KindInRegistry = 'model' | 'prompt';

interface PageQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** The registry's door for other modules and protocols. */
export interface RegistryApi
  extends ModelService,
    VersionService,
    Pick<PromotionService, 'proposeVersion' | 'decideCheck' | 'deferCheck' | 'revertPromotion'> {
  model(reader: Reader, project: string, model: string): Promise<RegisteredModel | undefined>;
  models(
    reader: Reader,
    project: string,
    page: PageQuery & { readonly kind?: KindInRegistry | undefined },
  ): Promise<Page<RegisteredModel>>;
  /** `at`: a number, an alias, or `latest`. */
  version(reader: Reader, project: string, model: string, at: number | string): Promise<ModelVersion | undefined>;
  /** Newest first; undefined when there is no such model. */
  versions(reader: Reader, project: string, model: string, page: PageQuery): Promise<Page<ModelVersion> | undefined>;
  /** Models and versions by MLflow's filter grammar. */
  searchModels(reader: Reader, query: RegistrySearch): Promise<FoundInRegistry<RegisteredModel>>;
  searchVersions(reader: Reader, query: RegistrySearch): Promise<FoundInRegistry<ModelVersion>>;
  /** The highest version of each stage, by the model's key. */
  latestVersions(
    reader: Reader,
    models: readonly RegisteredModel[],
  ): Promise<ReadonlyMap<string, readonly ModelVersion[]>>;
  alias(
    reader: Reader,
    project: string,
    model: string,
    alias: string,
  ): Promise<
    { readonly version: number; readonly movedMs: number; readonly promotionId: string | undefined } | undefined
  >;
  /** True when promotions govern this alias: then it moves by hand only for approvers. */
  isGoverned(reader: Reader, project: string, model: string, alias: string): Promise<boolean>;
  promotion(reader: Reader, project: string, promotionId: string): Promise<Promotion | undefined>;
  promotions(
    reader: Reader,
    project: string,
    filter: PageQuery & { readonly model?: string | undefined; readonly state?: PromotionState | undefined },
  ): Promise<Page<Promotion>>;
}

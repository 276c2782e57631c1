export { isPrompt, promptTag, promptTextOf } from './prompt-rule.ts';
export type { RegistryApi } from './registry-api.ts';
export { createRegistryModule, type RegistryModule } from './registry-module.ts';
export type {
  ModelVersion,
  Promotion,
  PromotionCheck,
  Proposal,
  ProposedVersion,
  RegisteredModel,
  VersionFile,
} from './registry-types.ts';
export { parseStage } from './version-service.ts';

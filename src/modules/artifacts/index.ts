export type { Collected } from './artifact-collector.ts';
export type { ArtifactsApi, NewHold } from './artifact-service.ts';
export { type ArtifactsDeps, type ArtifactsModule, createArtifactsModule } from './artifacts-module.ts';

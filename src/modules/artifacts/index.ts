export type { Collected } from './artifact-collector.ts';
export type { ArtifactsApi, NewHold } from './artifact-service.ts';
export { type ArtifactsDeps, type ArtifactsModule, createArtifactsModule } from './artifacts-module.ts';
export { parseByteRange } from './byte-range.ts';
export type { NamedPart, UploadsApi } from './upload-service.ts';
export type { Upload } from './upload-store.ts';
export type { UrlSigner } from './url-signer.ts';

export { type AuditDeps, type AuditModule, createAuditModule } from './audit-module.ts';
export type { AuditApi } from './audit-service.ts';
export type { Anchor } from './verify-chain.ts';

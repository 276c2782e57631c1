import type { SpecRevision } from '#contracts/deployment-spec';
import type { DeploymentSpecDocument } from '#contracts/deployments';
import type { ReplicaReport } from '#contracts/replica-report';
import type { TrafficRow } from './deployments-tables.ts';

/** The pool of data planes that serve every endpoint, until a deployment can name another. */
export const defaultPool = 'default';

export interface Pool {
  readonly pool: string;
  readonly epoch: string;
  readonly generation: number;
  readonly flush: number;
  readonly flushAskedMs: number | undefined;
  /** What the server asked of callers when it last told the pool; undefined when that was not kept yet. */
  readonly auth: 'open' | 'required' | undefined;
}

/** What was asked for. */
export interface Deployment {
  readonly project: string;
  readonly name: string;
  readonly pool: string;
  readonly spec: DeploymentSpecDocument;
  readonly generation: number;
  readonly salt: string;
  readonly updatedMs: number;
}

/** One model version as one deployment serves it. Its bytes never change. */
export interface Revision {
  readonly id: string;
  readonly project: string;
  readonly deployment: string;
  readonly model: string;
  readonly version: number;
  readonly runtime: SpecRevision['runtime'];
  readonly signature: SpecRevision['signature'];
  readonly score: string | undefined;
  readonly createdMs: number;
  readonly readyMs: number | undefined;
  readonly error: string | undefined;
}

export interface RevisionFile {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A revision that an endpoint holds loaded, in the order in which shares are laid out. */
export interface LoadedRevision {
  readonly revision: string;
  readonly basisPoints: number;
  /** `next`: about to get traffic. `previous`: kept to return to. */
  readonly role: TrafficRow['role'];
}

export interface Shadow {
  /** As declared: `model:late-arrival@1`. */
  readonly reference: string;
  readonly sampleRate: number;
  /** Undefined while there is no such version. */
  readonly revision: string | undefined;
}

export interface Replica {
  readonly pool: string;
  readonly replica: string;
  readonly boot: string;
  readonly sequence: number;
  readonly state: string;
  readonly observed: { readonly epoch: string; readonly generation: number } | undefined;
  readonly flushed: number;
  readonly endpoints: readonly ReportedEndpoint[];
  readonly spool: ReplicaReport['spool'];
  readonly programVersion: string;
  readonly reportedMs: number;
}

/** Of an endpoint at a replica, all but the counters. */
export interface ReportedEndpoint extends Omit<ReplicaReport['endpoints'][number], 'revisions'> {
  readonly revisions: readonly {
    readonly revision: string;
    readonly state: ReplicaReport['endpoints'][number]['revisions'][number]['state'];
    readonly error?: string;
  }[];
}

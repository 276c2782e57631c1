import type { ApprovalState } from '#contracts/approvals';

export interface ApprovalsTables {
  readonly approvals: {
    readonly id: string;
    readonly project: string;
    readonly subject: string;
    readonly policy: string;
    readonly about: string | null;
    readonly message: string | null;
    readonly state: ApprovalState;
    readonly requested_by: string;
    readonly requested_ms: number;
    readonly decided_by: string | null;
    readonly decided_ms: number | null;
    readonly reason: string | null;
  };
  readonly approval_policies: {
    readonly project: string;
    readonly name: string;
    readonly self_approval: number;
  };
}

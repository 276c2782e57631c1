import { matchByAsof } from './match-by-asof.ts';
import { matchByScan } from './match-by-scan.ts';
import { type MatchedView, type MatchRequest, planMatch } from './match-plan.ts';
import type { Session } from './session.ts';

/**
 * Finds for each row of the spine the view's row that counts: by one scan of the view beside arrays of the spine's instants
 * where those fit (`match-by-scan.ts`), in the database alone otherwise (`match-by-asof.ts`). Both give the same.
 */
export async function matchView(session: Session, request: MatchRequest): Promise<MatchedView> {
  const plan = await planMatch(session, request);
  return (await matchByScan(session, plan)) ?? matchByAsof(session, plan);
}

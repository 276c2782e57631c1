import { defineErrors } from '#platform/errors';

export const approvalErrors = defineErrors({
  APPROVAL_NOT_FOUND: {
    kind: 'not_found',
    message: (id: string) => `there is no request for approval "${id}" in this project`,
  },
  APPROVAL_DECIDED: {
    kind: 'conflict',
    message: (id: string, state: string) => `the request for approval "${id}" is ${state} already`,
  },
  APPROVAL_FORBIDDEN: {
    kind: 'forbidden',
    message: (principal: string, project: string) =>
      `${principal} may not approve in project "${project}"; it takes the role approver`,
  },
  SECOND_PERSON_REQUIRED: {
    kind: 'forbidden',
    message: (principal: string, policy: string) =>
      `${principal} asked for this approval, and the policy "${policy}" wants a second person to grant it: let another approver decide, or an admin run \`tidemill approval set-policy ${policy} --self-approval\``,
    help: 'A server without authentication knows one person alone, user:local.',
  },
});

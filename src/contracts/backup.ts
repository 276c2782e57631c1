/** GET answers one tar with everything that the server keeps, secrets' key included. A raw route for admins of all projects. */
export const backupPath = '/api/v1/backup';

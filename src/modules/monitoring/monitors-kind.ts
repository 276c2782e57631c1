import type { MonitorSpec } from '#contracts/monitoring';
import type { ResourceKind, SpecProblem, WorkspaceDocument } from '#platform/resource-kind';
import { findExpressionProblem } from '#platform/sql-expression';
import { keyOf, toSettings } from './monitor-settings.ts';
import { deleteMonitor, listMonitors, upsertMonitor } from './monitor-store.ts';
import type { MonitoringDeps } from './monitoring-deps.ts';
import { driftFingerprint, performanceFingerprint } from './window-service.ts';

/** `monitors:` in tidemill.yaml. A pruned monitor takes its windows along; the predictions and their truth stay. */
export function createMonitorsKind(deps: Pick<MonitoringDeps, 'predictions' | 'alerts'>): ResourceKind<MonitorSpec> {
  return {
    section: 'monitors',
    kind: 'monitor',
    async current(reader, project) {
      return new Map((await listMonitors(reader, project)).map(({ name, spec }) => [name, spec]));
    },
    check(name, spec, document) {
      const problems: SpecProblem[] = [];
      const deployments = namesIn(document, 'deployments');
      const deployment = spec.deployment ?? name;
      if (!deployments.includes(deployment))
        problems.push({
          path: spec.deployment === undefined ? [] : ['deployment'],
          message: `there is no deployment "${deployment}" to watch`,
          expected: 'the name of a deployment, by `deployment:` or as the name of the monitor',
          known: deployments,
        });
      const datasets = namesIn(document, 'datasets');
      if (spec.truth !== undefined && !datasets.includes(spec.truth.dataset))
        problems.push({
          path: ['truth', 'dataset'],
          message: `there is no dataset "${spec.truth.dataset}"`,
          known: datasets,
        });
      const value = spec.truth && findExpressionProblem(spec.truth.value);
      if (value !== undefined)
        problems.push({
          path: ['truth', 'value'],
          message: `the value cannot be read: ${value}`,
          expected: 'one SQL expression',
        });
      const { windowMs, drift } = toSettings(spec);
      if (!isWholeHours(windowMs))
        problems.push({ path: ['performance', 'window'], message: 'a window is made of whole hours', expected: '28d' });
      if (!isWholeHours(drift?.windowMs))
        problems.push({ path: ['drift', 'window'], message: 'a window is made of whole hours', expected: '7d' });
      return problems;
    },
    async apply(unit, project, { name, after }) {
      if (after === undefined) {
        await deps.predictions.unbindTruth(unit, project, name);
        const reason = 'the monitor was removed';
        for (const fingerprint of [performanceFingerprint(name), driftFingerprint(name)])
          await deps.alerts.resolve(unit, { project, fingerprint, reason });
        await deleteMonitor(unit, project, name);
        return;
      }
      const deployment = after.deployment ?? name;
      const fromMs = await deps.predictions.watermark(unit, project, deployment);
      const generation = await upsertMonitor(unit, { project, name, deployment, spec: after, fromMs });
      const { truth } = after;
      if (truth === undefined) await deps.predictions.unbindTruth(unit, project, name);
      else
        await deps.predictions.bindTruth(unit, {
          project,
          name,
          endpoint: deployment,
          dataset: truth.dataset,
          key: keyOf(truth.key),
          time: truth.time,
          value: truth.value,
        });
      await unit.emit({
        type: 'monitor.changed',
        project,
        subject: `monitor:${name}`,
        data: { monitor: name, generation },
      });
    },
  };
}

const isWholeHours = (ms: number | undefined): boolean => ms === undefined || (ms > 0 && ms % 3_600_000 === 0);

const namesIn = (document: WorkspaceDocument, section: string): readonly string[] =>
  Object.keys(document.sections[section] ?? {});

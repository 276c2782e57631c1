import type { RunFigures } from './counters.ts';
import type { Exposition } from './metrics-text.ts';

export function printTriton(
  exposition: Exposition,
  labels: string,
  figures: RunFigures & { readonly errors: Readonly<Record<string, number>>; readonly pending: number },
): void {
  const { stages, errors } = figures;
  const answered = figures.run + figures.cacheHits;
  exposition.add('nv_inference_request_success', labels, answered);
  for (const reason of ['REJECTED', 'CANCELED', 'OTHER'] as const)
    exposition.add('nv_inference_request_failure', `${labels},reason="${reason}"`, failuresOf(errors, reason));
  exposition.add('nv_inference_count', labels, figures.rows);
  exposition.add('nv_inference_exec_count', labels, figures.runs);
  exposition.add('nv_inference_request_duration_us', labels, figures.answeredUs);
  exposition.add('nv_inference_queue_duration_us', labels, stages.queue.sumUs);
  exposition.add('nv_inference_compute_input_duration_us', labels, stages.input.sumUs);
  exposition.add('nv_inference_compute_infer_duration_us', labels, stages.infer.sumUs);
  exposition.add('nv_inference_compute_output_duration_us', labels, stages.output.sumUs);
  exposition.add('nv_inference_pending_request_count', labels, figures.pending);
  if (figures.cacheHits + figures.cacheMisses === 0) return;
  exposition.add('nv_cache_num_hits_per_model', labels, figures.cacheHits);
  exposition.add('nv_cache_num_misses_per_model', labels, figures.cacheMisses);
  exposition.add('nv_cache_hit_duration_per_model', labels, figures.cacheHitUs);
}

/** Refused while waiting is REJECTED there, and a client that left is CANCELED. */
function failuresOf(errors: Readonly<Record<string, number>>, reason: 'REJECTED' | 'CANCELED' | 'OTHER'): number {
  const rejected = (errors['unavailable'] ?? 0) + (errors['timeout'] ?? 0);
  const canceled = errors['abandoned'] ?? 0;
  if (reason === 'REJECTED') return rejected;
  if (reason === 'CANCELED') return canceled;
  return Object.values(errors).reduce((sum, count) => sum + count, 0) - rejected - canceled;
}

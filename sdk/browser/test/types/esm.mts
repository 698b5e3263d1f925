// What a host of modules writes, checked against the published types.
import { type AfterwordError, createAfterword, type Drop } from '@afterword/browser';
import { observe } from '@afterword/browser/observe';

const aw = createAfterword({
  endpoint: 'https://feedback.example',
  token: async ({ completionIds }) => ({ token: completionIds.join() }),
});
aw.on('drop', (drop: Drop) => drop.reason satisfies string);
aw.on('error', (error: AfterwordError) => error.status satisfies number | undefined);
aw.completion('c-1').preference({ against: 'c-2', outcome: 'better' }) satisfies string | undefined;
// @ts-expect-error: there is no such thumb.
aw.thumb('c-1', 'sideways');
observe(aw, { dwell: { minMs: 500 } })();

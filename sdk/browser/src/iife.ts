// Everything under one global name, `afterword`, for pages without a bundler.
export * from './index.ts';
export * from './observe.ts';

// Everything under one global name, `afterword`, for pages without a bundler; <afterword-thumbs> is defined.
import { defineThumbs } from './element.ts';

export * from './conversation.ts';
export * from './element.ts';
export * from './index.ts';
export * from './observe.ts';

defineThumbs();

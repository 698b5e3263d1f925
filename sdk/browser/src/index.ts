import { createClient } from './client.ts';
import type { Afterword, AfterwordOptions } from './options.ts';
import { browserPlatform } from './platform.ts';

export type * from './feedback.ts';
export type {
  Afterword,
  AfterwordOptions,
  CompletionHandle,
  Consent,
  Drop,
  DropReason,
  Events,
  FlushResult,
  Receipt,
  Signals,
} from './options.ts';
export { AfterwordError } from './options.ts';
export type { StorageKind } from './platform.ts';
export type { Token, TokenSource } from './token.ts';

/** Makes a client. On a server it does nothing. */
export function createAfterword(options: AfterwordOptions): Afterword {
  return createClient(options, browserPlatform(options.fetch));
}

// For the backend behind a page, not for the page: mints feedback tokens and records what models answered.

/** The signals that a token can grant. */
export type Signal =
  | 'thumb'
  | 'rating'
  | 'preference'
  | 'edit'
  | 'regenerate'
  | 'continuation'
  | 'copy'
  | 'accept'
  | 'comment'
  | 'impression'
  | 'dwell';

/** Whose reactions a token grants, and to what: to completions, or to all of one conversation. */
export type Grant = {
  /** The user who reacts, 1 to 256 bytes. */
  subject: string;
  /** Any signal where it is absent. */
  signals?: readonly Signal[];
  /** Seconds that the token lives: 900 where it is absent, at most a day. */
  ttlS?: number;
} & ({ completionIds: readonly string[]; conversationId?: never } | { conversationId: string; completionIds?: never });

/** What signs tokens. */
export interface Signing {
  /**
   * The text `aw_sig_…` of an HS256 key, or the id of an EdDSA key with its private part: the PEM that
   * `afterword key create --signing eddsa` prints, or a JWK.
   */
  key: string | { id: string; privateKey: string | object };
  /** The project's id, as `afterword key create --signing` tells it. */
  issuer: string;
  /** Milliseconds since 1970; the clock's where it is absent. */
  issuedAtMs?: number;
}

const MAX_TTL_S = 86_400;
const DEFAULT_TTL_S = 900;

/** Mints a feedback token with a signing key, without asking the service. Rejects with a `TypeError` what cannot be valid. */
export async function mintFeedbackToken(options: Signing & Grant): Promise<string> {
  const { key, issuer, subject, completionIds, conversationId, signals, ttlS = DEFAULT_TTL_S } = options;
  if (!issuer || !subject) throw new TypeError('issuer and subject are required');
  if ((completionIds === undefined) === (conversationId === undefined))
    throw new TypeError('a token names either completionIds or a conversationId');
  if (completionIds && !(completionIds.length >= 1 && completionIds.length <= 100))
    throw new TypeError('a token names 1 to 100 completions');
  if (!(Number.isInteger(ttlS) && ttlS >= 1 && ttlS <= MAX_TTL_S))
    throw new TypeError(`ttlS is a whole number from 1 to ${MAX_TTL_S}`);
  // Node 18 has no global `crypto`; runtimes at the edge have no `node:crypto`.
  const crypto = globalThis.crypto ?? (await import('node:crypto')).webcrypto;
  const isHs256 = typeof key === 'string';
  const id = isHs256 ? /^aw_sig_([a-z0-9]{16})_/.exec(key)?.[1] : key.id;
  if (!id) throw new TypeError('the signing key has no id');
  const now = Math.floor((options.issuedAtMs ?? Date.now()) / 1000);
  const header = { typ: 'aw-feedback+jwt', alg: isHs256 ? 'HS256' : 'EdDSA', kid: id };
  const claims = {
    iss: issuer,
    aud: 'afterword',
    iat: now,
    nbf: now,
    exp: now + ttlS,
    jti: crypto.randomUUID(),
    sub: subject,
    completion_ids: completionIds,
    conversation_id: conversationId,
    signals,
  };
  const text = new TextEncoder();
  const part = (value: object): string => toBase64Url(text.encode(JSON.stringify(value)));
  const signed = text.encode(`${part(header)}.${part(claims)}`);
  const algorithm = isHs256 ? { name: 'HMAC', hash: 'SHA-256' } : { name: 'Ed25519' };
  const signing = isHs256
    ? await crypto.subtle.importKey('raw', text.encode(key), algorithm, false, ['sign'])
    : await importPrivateKey(crypto.subtle, key.privateKey, algorithm);
  const signature = await crypto.subtle.sign(algorithm, signing, signed);
  return `${new TextDecoder().decode(signed)}.${toBase64Url(new Uint8Array(signature))}`;
}

function importPrivateKey(subtle: SubtleCrypto, key: string | object, algorithm: object): Promise<CryptoKey> {
  if (typeof key === 'object') return subtle.importKey('jwk', key, algorithm as Algorithm, false, ['sign']);
  const body = /-----BEGIN PRIVATE KEY-----([^-]+)-----END PRIVATE KEY-----/.exec(key)?.[1];
  if (!body) throw new TypeError('the private key is no PEM of PKCS 8');
  const der = Uint8Array.from(atob(body.replace(/\s/g, '')), (char) => char.charCodeAt(0));
  return subtle.importKey('pkcs8', der, algorithm as Algorithm, false, ['sign']);
}

function toBase64Url(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/** What may stand beside an answer, in the words of `POST /v1/completions`. */
export interface About {
  conversation_id?: string | undefined;
  turn_index?: number | undefined;
  /** The completion that this one regenerates. */
  parent_completion_id?: string | undefined;
  attempt?: number | undefined;
  user?: string | undefined;
  experiment?: string | undefined;
  variant?: string | undefined;
  task?: string | undefined;
  language?: string | undefined;
  tags?: Record<string, string> | undefined;
  timing?:
    | { started_at?: string; ttft_ms?: number; itl_ms?: number; latency_ms?: number; queue_ms?: number }
    | undefined;
  cost_usd?: number | undefined;
  serving?: { served_by?: string; kv_cache_usage?: number; n_waiting?: number; max_model_len?: number } | undefined;
  consent?: { training: boolean } | undefined;
  rating_solicited?: boolean | undefined;
  solicit_prob?: number | undefined;
  aliases?: string[] | undefined;
}

/** A request to chat completions and what came of it, as the OpenAI SDK has them. */
export interface OpenAiPair extends About {
  request: object;
  response: object;
  /** In place of the response's own id. */
  id?: string | undefined;
}

/** An answer in the service's own words. */
export interface Completion extends About {
  id: string;
  model: string;
  requested_model?: string | undefined;
  /** A text is one message of the user. */
  prompt: string | readonly object[];
  response: object;
  tools?: readonly object[] | undefined;
  params?: object | undefined;
  finish_reason?: string | undefined;
  usage?:
    | { input_tokens?: number; output_tokens?: number; cached_input_tokens?: number; reasoning_tokens?: number }
    | undefined;
  created_at?: string | undefined;
}

/** How a backend reaches the service. */
export interface BackendOptions {
  /** An origin, or a path in front of `/v1`. */
  endpoint: string;
  /** A secret key with role `ingest`: `aw_sec_…`. It stays on the backend. */
  key: string;
  /** Tries of one request where the service is busy or away; 4 where it is absent. */
  maxTries?: number;
  /** How long one try may take; 10,000 where it is absent. */
  timeoutMs?: number;
  /** Told what `logStream` could not record; where it is absent, a line goes to the console. */
  onError?: (error: Error) => void;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
}

/** What the service said instead of storing. Holds no text of prompts, responses or keys. */
export class BackendError extends Error {
  /** The HTTP status; 0 where nobody answered. */
  readonly status: number;
  /** The problem's code, such as `conflict`. */
  readonly code: string;
  constructor(status: number, code: string) {
    super(`afterword: ${status ? `${status} ${code}` : code}`);
    this.name = 'BackendError';
    this.status = status;
    this.code = code;
  }
}

/** A piece of a streamed answer, as far as it is read here. */
interface Chunk {
  id?: string;
  model?: string;
  created?: number;
  usage?: object | null;
  choices?: readonly {
    index: number;
    finish_reason?: string | null;
    delta?: {
      content?: string | null;
      refusal?: string | null;
      tool_calls?: readonly { index: number; id?: string; function?: { name?: string; arguments?: string } }[];
    };
  }[];
}

/** A backend's way to the service. */
export interface Backend {
  /** Records an answer. Resolves when it is stored (again, where it was already); rejects with a `BackendError`. */
  logCompletion(completion: OpenAiPair | Completion): Promise<void>;
  /**
   * Hands on the chunks of a streamed answer and records the whole when they end, also where the reader stops early or the
   * stream breaks. It never fails by itself: see `onError`.
   */
  logStream<T extends object>(stream: AsyncIterable<T>, about: About & { request: object }): AsyncGenerator<T, void>;
  /** Has the service mint a feedback token. */
  feedbackToken(grant: Grant): Promise<string>;
}

/** Makes a backend's way to the service. Nothing is sent yet. */
export function createBackend(options: BackendOptions): Backend {
  const { endpoint, key, maxTries = 4, timeoutMs = 10_000 } = options;
  const onError = options.onError ?? ((error) => console.error(`${error}`));

  const attempt = async (
    path: string,
    body: string,
  ): Promise<{ answer: string } | { error: BackendError; waitMs?: number }> => {
    try {
      const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
      const init = { method: 'POST', headers, body, signal: AbortSignal.timeout(timeoutMs) };
      const response = await (options.fetch ?? fetch)(`${endpoint.replace(/\/+$/, '')}${path}`, init);
      const answer = await response.text();
      if (response.ok && !/"rejected":\[\{/.test(answer)) return { answer };
      const error = new BackendError(response.status, codeOf(answer));
      const isPassing = response.status === 429 || response.status >= 500;
      return isPassing ? { error, waitMs: 1000 * Number(response.headers.get('Retry-After') ?? 0) } : { error };
    } catch {
      // What `fetch` says may quote the address; nobody is helped by more than that nobody answered.
      return { error: new BackendError(0, 'network'), waitMs: 0 };
    }
  };

  /** What is sent again is the same content under the same id, so that the service stores it once. */
  const post = async (path: string, body: string): Promise<string> => {
    for (let nth = 1; ; nth += 1) {
      const outcome = await attempt(path, body);
      if ('answer' in outcome) return outcome.answer;
      if (outcome.waitMs === undefined || nth >= maxTries) throw outcome.error;
      const backoffMs = 250 * 2 ** (nth - 1) * (0.5 + Math.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(outcome.waitMs || 0, backoffMs), 30_000)));
    }
  };

  const logCompletion = async (completion: OpenAiPair | Completion): Promise<void> => {
    await post('/v1/completions', JSON.stringify(completion));
  };

  return {
    logCompletion,
    async *logStream(stream, about) {
      const whole = new Whole();
      try {
        for await (const chunk of stream) {
          whole.add(chunk);
          yield chunk;
        }
      } finally {
        if (whole.hasBegun()) await logCompletion({ ...about, response: whole.response() }).catch(onError);
      }
    },
    async feedbackToken({ subject, completionIds, conversationId, signals, ttlS }) {
      const grant = { subject, completion_ids: completionIds, conversation_id: conversationId, signals, ttl_s: ttlS };
      return (JSON.parse(await post('/v1/feedback-tokens', JSON.stringify(grant))) as { token: string }).token;
    },
  };
}

/** Finds the code of a problem, or of the one item that was rejected. */
function codeOf(answer: string): string {
  try {
    const problem = JSON.parse(answer) as { code?: string; rejected?: { code: string }[] };
    return problem.rejected?.[0]?.code ?? problem.code ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

/** A streamed answer that is put together again. */
class Whole {
  private readonly head: Pick<Chunk, 'id' | 'model' | 'created' | 'usage'> = {};
  private readonly choices = new Map<number, { message: Message; finish_reason?: string }>();

  add(chunk: Chunk): void {
    // The first chunk names the answer, the last one counts its tokens.
    for (const name of ['id', 'model', 'created'] as const)
      if (chunk[name] !== undefined) Object.assign(this.head, { [name]: this.head[name] ?? chunk[name] });
    if (chunk.usage) this.head.usage = chunk.usage;
    for (const { index, delta, finish_reason } of chunk.choices ?? []) {
      const choice = this.choices.get(index) ?? { message: { role: 'assistant', content: null } };
      this.choices.set(index, choice);
      const { message } = choice;
      if (finish_reason) choice.finish_reason = finish_reason;
      if (delta?.content) message.content = (message.content ?? '') + delta.content;
      if (delta?.refusal) message.refusal = (message.refusal ?? '') + delta.refusal;
      for (const piece of delta?.tool_calls ?? []) {
        message.tool_calls ??= [];
        const call = (message.tool_calls[piece.index] ??= {
          id: '',
          type: 'function',
          function: { name: '', arguments: '' },
        });
        if (piece.id) call.id = piece.id;
        call.function.name += piece.function?.name ?? '';
        call.function.arguments += piece.function?.arguments ?? '';
      }
    }
  }

  hasBegun(): boolean {
    return this.choices.size > 0;
  }

  response(): object {
    return { ...this.head, choices: [...this.choices].map(([index, choice]) => ({ index, ...choice })) };
  }
}

interface Message {
  role: 'assistant';
  content: string | null;
  refusal?: string;
  tool_calls?: { id: string; type: 'function'; function: { name: string; arguments: string } }[];
}

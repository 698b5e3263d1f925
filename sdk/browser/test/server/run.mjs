// What a backend does, before the real service: tokens that it believes, and answers of the OpenAI SDK that it stores.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import OpenAI from 'openai';
import { BackendError, createBackend, mintFeedbackToken } from '../../dist/server.js';
import { startService } from '../browser/service.mjs';
import { startOpenAi } from './openai.mjs';

const SERVICE = process.env.AFTERWORD_BINARY ?? '../../target/debug/afterword';
if (!existsSync(SERVICE)) {
  console.error(`NOT RUN: the tests of ./server, for want of ${SERVICE} (cargo build).`);
  process.exit(0);
}

const service = await startService(SERVICE);
const openaiServer = await startOpenAi();
const openai = new OpenAI({ apiKey: 'none', baseURL: openaiServer.url, maxRetries: 0 });
const afterword = createBackend({ endpoint: `${service.url}/`, key: service.key });
const question = [{ role: 'user', content: 'Say hello' }];
const stored = async (id) => (await service.read(`/v1/completions/${encodeURIComponent(id)}`)).body;

/** Sends a thumb as a page does; returns the status, the code of what was refused, and how it is trusted. */
async function thumb(token, completionId) {
  const item = { id: randomUUID(), completion_id: completionId, signal: 'thumb', value: 'up' };
  const body = JSON.stringify({ v: 1, token, feedback: [item] });
  const answer = await fetch(`${service.url}/v1/feedback`, {
    method: 'POST',
    headers: { 'Content-Type': 'text/plain' },
    body,
  });
  const { rejected, code } = await answer.json();
  const row = (await service.rows()).find(({ id }) => id === item.id);
  return { status: answer.status, code: rejected?.[0]?.code ?? code, trust: row?.trust, user: row?.user };
}

async function signing(algorithm) {
  const made = await service.createKey('--signing', algorithm, '--name', algorithm);
  const [, id, issuer] = /kid (\S+) and iss (\S+)/.exec(made.stderr);
  return { printed: made.stdout.trim(), id, issuer };
}

const CASES = {
  async 'a token of an HS256 key vouches for its subject and for nothing that it does not name'() {
    const { printed: key, issuer } = await signing('hs256');
    const token = await mintFeedbackToken({ key, issuer, subject: 'u-ä', completionIds: ['c-1', 'c-2'] });
    const narrow = await mintFeedbackToken({ key, issuer, subject: 'u-1', conversationId: 'v', signals: ['copy'] });

    assert.deepEqual(await thumb(token, 'c-2'), { status: 200, code: undefined, trust: 'verified', user: 'u-ä' });
    assert.equal((await thumb(token, 'c-3')).code, 'completion_not_granted');
    assert.equal((await thumb(narrow, 'c-1')).code, 'signal_not_granted');
  },
  async 'a token of an EdDSA key vouches, whether its private part is a PEM or a JWK'() {
    const { printed: privateKey, id, issuer } = await signing('eddsa');
    const { createPrivateKey } = await import('node:crypto');
    const jwk = createPrivateKey(privateKey).export({ format: 'jwk' });
    for (const one of [privateKey, jwk]) {
      const grant = { issuer, subject: 'u-2', completionIds: ['c-1'] };
      const token = await mintFeedbackToken({ key: { id, privateKey: one }, ...grant });
      assert.deepEqual(await thumb(token, 'c-1'), { status: 200, code: undefined, trust: 'verified', user: 'u-2' });
    }
  },
  async 'a token lives as long as it was told to, and no longer'() {
    const { printed: key, issuer } = await signing('hs256');
    const grant = { key, issuer, subject: 'u-1', completionIds: ['c-1'], ttlS: 60 };
    const past = await mintFeedbackToken({ ...grant, issuedAtMs: Date.now() - 70_000 });
    const fresh = await mintFeedbackToken({ ...grant, issuedAtMs: Date.now() - 50_000 });

    assert.deepEqual([(await thumb(past, 'c-1')).status, (await thumb(fresh, 'c-1')).status], [401, 200]);
  },
  async 'what cannot be a valid token is not minted'() {
    const good = { key: `aw_sig_${'a'.repeat(16)}_${'b'.repeat(43)}`, issuer: 'p', subject: 'u', completionIds: ['c'] };
    await mintFeedbackToken(good);
    for (const wrong of [
      { key: 'aw_sec_x' },
      { key: { id: 'a'.repeat(16), privateKey: 'no PEM' } },
      { issuer: '' },
      { subject: '' },
      { completionIds: [] },
      { completionIds: Array(101).fill('c') },
      { completionIds: undefined },
      { conversationId: 'v' },
      { ttlS: 0 },
      { ttlS: 1.5 },
      { ttlS: 86_401 },
    ])
      await assert.rejects(mintFeedbackToken({ ...good, ...wrong }), TypeError, JSON.stringify(wrong));
  },
  async 'the service mints a token for a backend without a signing key'() {
    const token = await afterword.feedbackToken({ subject: 'u-3', completionIds: ['c-1'], ttlS: 60 });
    assert.equal((await thumb(token, 'c-1')).trust, 'verified');
  },
  async 'an answer of the OpenAI SDK is stored with its prompt, tokens and what is told beside it'() {
    const request = { model: 'model', messages: question, temperature: 0.5 };
    const response = await openai.chat.completions.create(request);
    const pair = { request, response, user: 'u-1', conversation_id: 'v-1', turn_index: 0, tags: { route: 'faq' } };
    await afterword.logCompletion(pair);
    await afterword.logCompletion(pair);

    const row = await stored(response.id);
    assert.deepEqual([row.model, row.requested_model, row.user], ['model-2026', 'model', 'u-1']);
    assert.deepEqual([row.prompt, row.response.content], [question, 'Hello from Oslo.']);
    assert.deepEqual([row.params, row.tags, row.finish_reason], [{ temperature: 0.5 }, { route: 'faq' }, 'stop']);
    assert.deepEqual([row.usage.input_tokens, row.usage.cached_input_tokens], [12, 8]);
  },
  async 'a streamed answer is handed on piece by piece and stored as a whole'() {
    const request = { model: 'model', messages: question, stream: true, stream_options: { include_usage: true } };
    const stream = await openai.chat.completions.create(request);
    let [text, id] = [''];
    for await (const chunk of afterword.logStream(stream, { request, user: 'u-1' })) {
      text += chunk.choices[0]?.delta?.content ?? '';
      id = chunk.id;
    }

    const row = await stored(id);
    assert.deepEqual([text, row.response.content], ['Grüße from Oslo 🌍', 'Grüße from Oslo 🌍']);
    assert.deepEqual([row.finish_reason, row.usage.output_tokens, row.params], ['stop', 5, undefined]);
  },
  async 'the calls of a streamed answer are put together'() {
    const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];
    const request = { model: 'model', messages: question, tools, stream: true };
    let id;
    for await (const chunk of afterword.logStream(await openai.chat.completions.create(request), { request }))
      id = chunk.id;

    const row = await stored(id);
    const [call] = row.response.tool_calls;
    assert.deepEqual([row.response.content ?? null, row.finish_reason], [null, 'tool_calls']);
    assert.deepEqual([call.id, call.function], ['call-1', { name: 'weather', arguments: '{"city":"Oslo"}' }]);
    assert.equal(row.tools[0].function.name, 'weather');
  },
  async 'a reader who stops early leaves what was shown'() {
    const request = { model: 'model', messages: question, stream: true };
    let [text, id] = [''];
    for await (const chunk of afterword.logStream(await openai.chat.completions.create(request), { request })) {
      text += chunk.choices[0].delta.content ?? '';
      id = chunk.id;
      if (text.includes('from')) break;
    }

    const row = await stored(id);
    assert.deepEqual([row.response.content, row.finish_reason ?? null], ['Grüße from ', null]);
  },
  async 'what is refused is told by its code, and nothing of the texts is in the error'() {
    const completion = { id: 'c-9', model: 'm', prompt: 'SECRET', response: { role: 'assistant', content: 'SECRET' } };
    await afterword.logCompletion(completion);
    const conflict = await afterword.logCompletion({ ...completion, prompt: 'SECRET too' }).catch((error) => error);
    const unknown = await afterword.logCompletion({ ...completion, colour: 'SECRET' }).catch((error) => error);
    const nobody = createBackend({ endpoint: service.url, key: `aw_sec_${'a'.repeat(16)}_${'b'.repeat(43)}` });
    const refused = await nobody.logCompletion(completion).catch((error) => error);

    for (const error of [conflict, unknown, refused]) assert.ok(error instanceof BackendError);
    assert.deepEqual([conflict.status, conflict.code], [422, 'conflict']);
    assert.deepEqual([unknown.code, refused.status, refused.code], ['unknown_field', 401, 'credential_invalid']);
    assert.ok(![conflict, unknown, refused].some((error) => `${error.stack}`.includes('SECRET')));
  },
  async 'a service that is busy is asked again, and a stream whose answer cannot be stored still ends well'() {
    let nAsked = 0;
    const busy = createServer(async (incoming, outgoing) => {
      nAsked += 1;
      if (nAsked === 1) return incoming.socket.destroy();
      if (nAsked === 2) return outgoing.writeHead(503, { 'Retry-After': '0' }).end('{"code":"busy"}');
      let body = '';
      for await (const piece of incoming) body += piece;
      const answer = await fetch(`${service.url}${incoming.url}`, { method: 'POST', headers: incoming.headers, body });
      outgoing.writeHead(answer.status).end(await answer.text());
    });
    await new Promise((resolve) => busy.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${busy.address().port}`;
    const patient = createBackend({ endpoint, key: service.key });
    await patient.logCompletion({ id: 'c-10', model: 'm', prompt: 'a', response: { role: 'assistant', content: 'b' } });
    busy.close();
    busy.closeAllConnections();
    const told = [];
    const gone = createBackend({ endpoint, key: service.key, maxTries: 2, onError: (error) => told.push(error.code) });
    const request = { model: 'model', messages: question, stream: true };
    let nChunks = 0;
    for await (const _ of gone.logStream(await openai.chat.completions.create(request), { request })) nChunks += 1;

    assert.deepEqual([nAsked, (await stored('c-10')).model, nChunks, told], [3, 'm', 6, ['network']]);
  },
};

try {
  for (const [name, run] of Object.entries(CASES)) {
    await run().catch((error) => {
      throw new Error(name, { cause: error });
    });
    console.log(`ok: ${name}`);
  }
} finally {
  openaiServer.stop();
  await service.stop();
}

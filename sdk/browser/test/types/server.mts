// What a backend writes, checked against the published types.
import { BackendError, createBackend, mintFeedbackToken } from '@afterword/browser/server';
import type OpenAI from 'openai';

declare const openai: OpenAI;
const request = { model: 'm', messages: [{ role: 'user' as const, content: 'Hello' }] };
const afterword = createBackend({ endpoint: 'https://feedback.example', key: 'aw_sec_…' });
const response = await openai.chat.completions.create(request);
await afterword.logCompletion({ request, response, user: 'u-1', conversation_id: 'v-1' });
const stream = await openai.chat.completions.create({ ...request, stream: true });
for await (const chunk of afterword.logStream(stream, { request })) chunk.choices[0]?.delta.content satisfies unknown;
const signing = { key: 'aw_sig_…', issuer: '…' };
(await mintFeedbackToken({ ...signing, subject: 'u-1', completionIds: [response.id] })) satisfies string;
// @ts-expect-error: a token names completions or a conversation, not both.
await mintFeedbackToken({ ...signing, subject: 'u-1', completionIds: ['c-1'], conversationId: 'v-1' });
// @ts-expect-error: the service knows no such field.
await afterword.logCompletion({ request, response, colour: 'red' });
new BackendError(0, 'network').code satisfies string;

// app/api/chat/route.ts: answers, and records each answer under the id that the page shows it by.
import { createBackend } from '@afterword/browser/server';
import { convertToModelMessages, type LanguageModel, streamText, type UIMessage } from 'ai';

const afterword = createBackend({
  endpoint: process.env.AFTERWORD_URL ?? 'http://127.0.0.1:8787',
  key: process.env.AFTERWORD_KEY ?? '',
});

/** Makes the handler for a model. */
export const answerWith =
  (model: LanguageModel) =>
  async (request: Request): Promise<Response> => {
    const { id: conversationId, messages }: { id: string; messages: UIMessage[] } = await request.json();
    const completionId = crypto.randomUUID();
    const result = streamText({
      model,
      messages: await convertToModelMessages(messages),
      onFinish: ({ text, finishReason, usage, response }) =>
        afterword
          .logCompletion({
            id: completionId,
            model: response.modelId,
            prompt: messages.map(({ role, parts }) => ({ role, content: textOf(parts) })),
            response: { role: 'assistant', content: text },
            finish_reason: finishReason,
            usage: { input_tokens: usage.inputTokens, output_tokens: usage.outputTokens },
            conversation_id: conversationId,
          })
          .catch((error) => console.error(`${error}`)),
    });
    return result.toUIMessageStreamResponse({ originalMessages: messages, generateMessageId: () => completionId });
  };

const textOf = (parts: UIMessage['parts']): string =>
  parts.map((part) => (part.type === 'text' ? part.text : '')).join('');

export const POST = answerWith('openai/gpt-5');

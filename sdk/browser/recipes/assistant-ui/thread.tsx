// assistant-ui draws the thumbs and calls the adapter; the id of its message is the completion's id.
import { createAfterword } from '@afterword/browser';
import {
  AssistantRuntimeProvider,
  type ChatModelAdapter,
  type FeedbackAdapter,
  useLocalRuntime,
} from '@assistant-ui/react';
import type { ReactNode } from 'react';

const aw = createAfterword({ endpoint: 'https://feedback.example', token: 'aw_pub_…' });

/** The backend answers `{ completionId, text }`, having recorded the answer under this id. */
const model: ChatModelAdapter = {
  async run({ messages, abortSignal }) {
    const response = await fetch('/api/chat', { method: 'POST', body: JSON.stringify(messages), signal: abortSignal });
    const { completionId, text } = (await response.json()) as { completionId: string; text: string };
    return { content: [{ type: 'text', text }], metadata: { custom: { completionId } } };
  },
};

/** Made once: an adapter that is another one at each render would lose clicks. */
const feedback: FeedbackAdapter = {
  submit({ message, type }) {
    const { completionId } = message.metadata.custom;
    if (typeof completionId === 'string') aw.thumb(completionId, type === 'positive' ? 'up' : 'down');
  },
};

export function Runtime({ children }: { children: ReactNode }) {
  const runtime = useLocalRuntime(model, { adapters: { feedback } });
  return <AssistantRuntimeProvider runtime={runtime}>{children}</AssistantRuntimeProvider>;
}

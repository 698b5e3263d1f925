// A page with useChat: a message's id is the completion's id.
import { createAfterword } from '@afterword/browser';
import { observe } from '@afterword/browser/observe';
import { useChat } from '@ai-sdk/react';
import { useEffect, useState } from 'react';

// Importing and creating do nothing on a server, so this may stand in a module.
const aw = createAfterword({ endpoint: 'https://feedback.example', token: 'aw_pub_…' });

export function Chat() {
  const { messages, sendMessage, regenerate } = useChat();
  const [question, setQuestion] = useState('');
  useEffect(() => observe(aw), []);

  return (
    <main>
      {messages.map((message) => (
        <article key={message.id}>
          <div data-completion-id={message.role === 'assistant' ? message.id : undefined}>
            {message.parts.map((part) => (part.type === 'text' ? part.text : ''))}
          </div>
          {message.role === 'assistant' && (
            <p>
              <button type="button" onClick={() => aw.thumb(message.id, 'up')}>
                Good
              </button>
              <button type="button" onClick={() => aw.thumb(message.id, 'down')}>
                Bad
              </button>
              <button
                type="button"
                onClick={() => {
                  aw.regenerate(message.id);
                  regenerate({ messageId: message.id });
                }}
              >
                Another answer
              </button>
            </p>
          )}
        </article>
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const last = messages.findLast(({ role }) => role === 'assistant');
          if (last) aw.continuation(last.id);
          sendMessage({ text: question });
          setQuestion('');
        }}
      >
        <input aria-label="Your question" value={question} onChange={(event) => setQuestion(event.target.value)} />
      </form>
    </main>
  );
}

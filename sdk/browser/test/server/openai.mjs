// Speaks the protocol of chat completions on loopback: one answer, whole or in pieces.
import { createServer } from 'node:http';

const TOOL_CALL = { id: 'call-1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } };
const USAGE = {
  prompt_tokens: 12,
  completion_tokens: 5,
  prompt_tokens_details: { cached_tokens: 8 },
  total_tokens: 17,
};

/** The pieces of a streamed answer; with tools in the request, of a call. */
function pieces(id, model, withTools) {
  const head = { id, object: 'chat.completion.chunk', created: 1_767_225_600, model };
  const chunk = (delta, finish_reason = null) => ({ ...head, choices: [{ index: 0, delta, finish_reason }] });
  const call = (x) => chunk({ tool_calls: [{ index: 0, ...x }] });
  const texts = ['Grüße ', 'from ', 'Oslo 🌍'].map((content) => chunk({ content }));
  const { name } = TOOL_CALL.function;
  const calls = [
    call({ id: TOOL_CALL.id, type: 'function', function: { name, arguments: '' } }),
    ...['{"city":', '"Oslo"}'].map((part) => call({ function: { arguments: part } })),
  ];
  return [
    chunk({ role: 'assistant', content: withTools ? null : '' }),
    ...(withTools ? calls : texts),
    chunk({}, withTools ? 'tool_calls' : 'stop'),
    { ...head, choices: [], usage: USAGE },
  ];
}

/** Starts the server; `asked` holds the bodies of the requests. */
export async function startOpenAi() {
  const asked = [];
  const server = createServer(async (incoming, outgoing) => {
    let text = '';
    for await (const piece of incoming) text += piece;
    const request = JSON.parse(text);
    asked.push(request);
    const id = `chatcmpl-${asked.length}`;
    if (request.stream) {
      outgoing.writeHead(200, { 'Content-Type': 'text/event-stream' });
      for (const piece of pieces(id, 'model-2026', request.tools)) outgoing.write(`data: ${JSON.stringify(piece)}\n\n`);
      return outgoing.end('data: [DONE]\n\n');
    }
    const message = { role: 'assistant', content: 'Hello from Oslo.', refusal: null };
    const choices = [{ index: 0, message, finish_reason: 'stop', logprobs: null }];
    const answer = {
      id,
      object: 'chat.completion',
      created: 1_767_225_600,
      model: 'model-2026',
      choices,
      usage: USAGE,
    };
    outgoing.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, asked, stop: () => server.close() };
}

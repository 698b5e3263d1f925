// The demo's chat: what a page of a customer does with the SDK, and beside it what is stored of it.

/** How often the rows are asked for while the page is shown. */
const POLL_MS = 1500;
/** What may be wrong with an answer; what has no label here has one in the SDK. */
const REASONS = 'incorrect|unclear:Unclear|too_long:Too long|off_topic';

const byId = (id) => document.getElementById(id);

/** Makes an element; texts become text and never markup. */
function make(tag, members = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(members)) {
    if (name === 'onclick' || name === 'onsubmit') element.addEventListener(name.slice(2), value);
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

const button = (text, onclick, members = {}) => make('button', { type: 'button', onclick, ...members }, text);

async function post(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail ?? answer.title);
  return answer;
}

function tell(text, isBad = false) {
  byId('status').textContent = text;
  byId('status').classList.toggle('bad', isBad);
}

// What an answer's few marks look like: code, lists, tables, bold, italics.

function inline(text) {
  return text
    .split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)/)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith('`')) return make('code', {}, part.slice(1, -1));
      if (part.startsWith('**')) return make('strong', {}, part.slice(2, -2));
      return part.startsWith('*') ? make('em', {}, part.slice(1, -1)) : part;
    });
}

function tableOf(lines) {
  const cells = (line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => inline(cell.trim()));
  const row = (line, tag) => make('tr', {}, ...cells(line).map((cell) => make(cell.length ? tag : 'td', {}, ...cell)));
  return make(
    'table',
    {},
    make('thead', {}, row(lines[0], 'th')),
    make('tbody', {}, ...lines.slice(2).map((line) => row(line, 'td'))),
  );
}

function block(text) {
  const lines = text.split('\n');
  const items = (mark) => lines.map((line) => make('li', {}, ...inline(line.replace(mark, ''))));
  if (text.startsWith('```')) return make('pre', { tabindex: '0' }, make('code', {}, lines.slice(1, -1).join('\n')));
  if (lines.every((line) => /^- /.test(line))) return make('ul', {}, ...items(/^- /));
  if (lines.every((line) => /^\d+\. /.test(line))) return make('ol', {}, ...items(/^\d+\. /));
  return lines[0].startsWith('|') ? tableOf(lines) : make('p', {}, ...inline(text));
}

/** Splits at blank lines, but not inside of code. */
const blocks = (text) =>
  (text.match(/```[\s\S]*?```|(?:(?!\n\n|```)[\s\S])+/g) ?? [])
    .map((part) => part.trim())
    .filter(Boolean)
    .map(block);

// The conversation.

const chat = await post('/demo/chats', {});
const aw = afterword.createAfterword({
  endpoint: location.origin,
  user: chat.user,
  token: () => post(`/demo/chats/${chat.id}/token`, {}),
  flushIntervalMs: 500,
});
afterword.observe(aw);
afterword.setAfterword(aw);
aw.on('drop', ({ signal, reason, code }) => tell(`A ${signal} was dropped: ${code ?? reason}`, true));
aw.on('sent', () => showRows());

/** What was said, as the next prompt. */
const messages = [];
/** Answers by completion id: their number and the place of their label. */
const answers = new Map();
let turn = 0;
/** The answer that the conversation goes on from, and when it came. */
let last;

async function ask(prompt, voice, attempt, parent) {
  const answer = await post(`/demo/chats/${chat.id}/answers`, {
    messages: prompt,
    voice,
    attempt,
    parent_completion_id: parent ?? null,
  });
  return { ...answer, id: answer.completion_id, prompt, voice, attempt };
}

/** Draws an answer with everything that can be done to it. `replace` puts another attempt in its place. */
function card(answer, replace, onText) {
  const number = answers.size + 1;
  const label = make('span', { class: 'label' });
  answers.set(answer.id, { number, label });
  const text = make('div', { class: 'text', 'data-completion-id': answer.id }, ...blocks(answer.text));
  const mine = aw.completion(answer.id);
  let current = answer.text;
  const edit = button('Edit', () => {
    const box = make('textarea', {
      'aria-label': `Edit answer ${number}`,
      rows: String(Math.min(16, current.split('\n').length + 2)),
    });
    box.value = current;
    const close = () => {
      editing.replaceWith(text);
      edit.disabled = false;
      edit.focus();
    };
    const save = button(
      'Save',
      () => {
        current = box.value;
        mine.edit(current, { accepted: true });
        onText(current);
        text.replaceChildren(...blocks(current));
        close();
      },
      { class: 'primary' },
    );
    const editing = make(
      'div',
      { class: 'editing' },
      box,
      make('div', { class: 'actions' }, save, button('Cancel', close)),
    );
    text.replaceWith(editing);
    edit.disabled = true;
    box.focus();
  });
  const again = button('Another answer', async () => {
    again.disabled = true;
    await replace(async () => {
      const next = await ask(answer.prompt, answer.voice, answer.attempt + 1, answer.id);
      mine.regenerate({ next: next.id });
      return next;
    });
    again.disabled = false;
  });
  const copy = button('Copy', async () => {
    await navigator.clipboard.writeText(current);
    mine.copy({
      method: 'button',
      nChars: current.length,
      nTotalChars: current.length,
      containsCode: current.includes('```'),
    });
    tell(`Answer ${number} is copied.`);
  });
  const by = make(
    'p',
    { class: 'by' },
    make('b', {}, `#${number}`),
    make('span', {}, answer.model),
    answer.attempt > 1 ? make('span', {}, `attempt ${answer.attempt}`) : undefined,
    label,
  );
  const actions = make('div', { class: 'actions' }, copy, edit, again);
  const thumbs = make('afterword-thumbs', { 'data-completion-id': answer.id, reasons: REASONS, comment: '' });
  return make(
    'article',
    { class: 'answer', id: `answer-${number}`, 'aria-label': `Answer ${number}` },
    by,
    text,
    actions,
    thumbs,
  );
}

/** Puts an answer into a place, and the next attempt into the same place. */
function place(slot, answer, onAnswer) {
  const replace = async (next) => {
    try {
      const fresh = await next();
      place(slot, fresh, onAnswer);
      slot.querySelector('button').focus();
    } catch (error) {
      tell(error.message, true);
    }
  };
  onAnswer(answer);
  slot.replaceChildren(card(answer, replace, (text) => onAnswer({ ...answer, text })));
}

async function answerOne(item, question) {
  const slot = make('div', {});
  const said = { role: 'assistant', content: '' };
  const asked = { role: 'user', content: question };
  const first = await ask([...messages, asked], turn % 2 ? 'brief' : 'thorough', 1);
  messages.push(asked);
  place(slot, first, (answer) => {
    last = { id: answer.id, atMs: performance.now() };
    said.content = answer.text;
  });
  messages.push(said);
  item.append(make('div', { class: 'answers' }, slot));
  return first;
}

async function answerTwo(item, question) {
  const asked = { role: 'user', content: question };
  const both = await Promise.all(['thorough', 'brief'].map((voice) => ask([...messages, asked], voice, 1)));
  const shown = [...both];
  const said = { role: 'assistant', content: '' };
  messages.push(asked, said);
  const slots = both.map(() => make('div', {}));
  let kept = 0;
  const keep = (index) => {
    kept = index;
    last = { id: shown[index].id, atMs: performance.now() };
    said.content = shown[index].text;
  };
  for (const [index, slot] of slots.entries())
    place(slot, both[index], (answer) => {
      shown[index] = answer;
      if (index === kept) keep(index);
    });
  const outcomes = [
    ['better', 'First is better', 0],
    ['worse', 'Second is better', 1],
    ['tie', 'As good', 0],
    ['both_bad', 'Both bad', 0],
  ];
  const buttons = outcomes.map(([outcome, words, index]) =>
    button(
      words,
      () => {
        aw.preference(shown[0].id, { against: shown[1].id, outcome, shownFirst: 'this' });
        keep(index);
        for (const [at, one] of buttons.entries())
          one.setAttribute('aria-pressed', String(outcomes[at][0] === outcome));
        const hasWinner = outcome === 'better' || outcome === 'worse';
        for (const [at, slot] of slots.entries()) slot.firstChild.classList.toggle('chosen', hasWinner && at === index);
      },
      { 'aria-pressed': 'false' },
    ),
  );
  const choice = make(
    'div',
    { class: 'choice' },
    make('p', {}, 'Which answer is better?'),
    make('div', { class: 'actions', role: 'group', 'aria-label': 'Which answer is better?' }, ...buttons),
  );
  item.append(make('div', { class: 'answers two' }, ...slots), choice);
  return both[0];
}

async function submit(question) {
  const item = make('li', {}, make('p', { class: 'question' }, question));
  const before = last;
  tell('');
  try {
    const first = await (byId('compare').checked ? answerTwo : answerOne)(item, question);
    if (before)
      aw.continuation(before.id, { next: first.id, turn: turn, gapMs: Math.round(performance.now() - before.atMs) });
    turn += 1;
    byId('turns').append(item);
    byId('question').value = '';
    item.scrollIntoView({ block: 'nearest' });
    showRows();
  } catch (error) {
    tell(error.message, true);
  }
}

byId('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  const send = event.target.querySelector('button');
  send.disabled = true;
  await submit(byId('question').value.trim());
  send.disabled = false;
});
byId('question').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId('ask').requestSubmit();
});
byId('suggestions').append(
  ...chat.suggestions.map((text) => {
    const suggestion = button(text, () => {
      byId('question').value = text;
      byId('ask').requestSubmit();
      byId('question').focus();
      suggestion.remove();
    });
    return suggestion;
  }),
);

// The rows.

const nameOf = (id) => {
  const known = answers.get(id);
  return known ? `#${known.number}` : 'an earlier answer';
};
const linkTo = (id) => {
  const known = answers.get(id);
  return known && byId(`answer-${known.number}`)
    ? make('a', { href: `#answer-${known.number}` }, `#${known.number}`)
    : nameOf(id);
};

const WORDS = {
  thumb: ({ value, reasons, comment }) => [value, (reasons ?? []).join(', '), comment && `“${comment}”`],
  copy: ({ n_chars, n_total_chars, method, contains_code }) => [
    `${n_chars} of ${n_total_chars} characters`,
    `by ${method}`,
    contains_code && 'with code',
  ],
  edit: ({ text }) => [`${text.length} characters`],
  regenerate: ({ next_completion_id }) => [`replaced by ${nameOf(next_completion_id)}`],
  continuation: ({ turn: nth, next_completion_id }) => [`turn ${nth}`, `next ${nameOf(next_completion_id)}`],
  preference: ({ outcome, against }) => [
    outcome === 'tie' || outcome === 'both_bad'
      ? `${outcome.replace('_', ' ')}, beside ${nameOf(against)}`
      : `${outcome} than ${nameOf(against)}`,
  ],
  dwell: ({ visible_ms }) => [`in view for ${(visible_ms / 1000).toFixed(1)} s`],
  impression: () => ['came into view'],
};
const wordsOf = (row) => (WORDS[row.signal]?.(row) ?? []).filter(Boolean).join(', ') || row.signal;

/** Elements of rows that are shown, by what they are rows of. */
const drawn = new Map();

function draw(key, row, kind, completionId, words) {
  const json = JSON.stringify(row, undefined, 1);
  const known = drawn.get(key);
  if (known?.json === json) return;
  const pre = make('pre', { tabindex: '0' }, json);
  if (known) {
    known.pre.replaceWith(pre);
    drawn.set(key, { ...known, json, pre });
    return;
  }
  const at = new Date(row.received_at);
  const moment = make(
    'time',
    { datetime: row.received_at },
    at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' }),
  );
  const element = make(
    'tr',
    { class: 'fresh', role: 'row' },
    make('td', { class: 'moment', role: 'cell' }, moment),
    make('td', { class: 'kind', role: 'cell' }, kind),
    make('td', { role: 'cell' }, linkTo(completionId)),
    make('td', { role: 'cell' }, make('details', {}, make('summary', {}, words), pre)),
  );
  drawn.set(key, { json, pre });
  byId('rows').prepend(element);
}

let asking = false;
async function showRows() {
  if (asking || answers.size === 0) return;
  asking = true;
  try {
    const { completions } = await (await fetch(`/demo/chats/${chat.id}/rows`)).json();
    const fresh = completions.flatMap(({ feedback, ...completion }) => [
      [
        `completion ${completion.id}`,
        completion,
        'completion',
        completion.id,
        `${completion.model}, ${completion.response.content.length} characters`,
      ],
      ...feedback.map((row) => [row.id, row, row.signal, completion.id, wordsOf(row)]),
    ]);
    fresh.sort(([, a], [, b]) => Date.parse(a.received_at) - Date.parse(b.received_at));
    for (const row of fresh) draw(...row);
    for (const { id, label } of completions) showLabel(answers.get(id)?.label, label);
    const nFeedback = fresh.length - completions.length;
    byId('count').textContent =
      `Answers: ${completions.length}. Reactions: ${nFeedback}. Of this conversation, newest first; open one to see it whole.`;
  } catch {
    byId('count').textContent = 'The service does not answer; what you do waits in this browser.';
  } finally {
    asking = false;
  }
}

function showLabel(place, label) {
  if (!place || !label) return;
  place.textContent = label.verdict === 'none' ? '' : `label: ${label.verdict}`;
  place.className = `label ${label.verdict}`;
}

setInterval(() => document.visibilityState === 'visible' && showRows(), POLL_MS);

// The golden set of copies: what is selected on a page, and what must be told of it. Lengths are UTF-16 code units.
import assert from 'node:assert/strict';

/** Selects from the start of one node to the end of another, each found by a path through open shadow roots. */
const CASES = [
  {
    name: 'a whole answer',
    html: '<div data-completion-id="a"><p>One <b>bold</b> word.</p><p>And more.</p></div>',
    select: ['[data-completion-id=a]', '[data-completion-id=a]'],
    shares: [{ completion_id: 'a', n_chars: 23, n_total_chars: 23, contains_code: false }],
  },
  {
    name: 'one word',
    html: '<div data-completion-id="a"><p>One <b>bold</b> word.</p><p>And more.</p></div>',
    select: ['b', 'b'],
    shares: [{ completion_id: 'a', n_chars: 4, n_total_chars: 23, contains_code: false }],
  },
  {
    name: 'over two answers and what is between them',
    html: '<p data-completion-id="a">first <i>answer</i></p><p>between</p><p data-completion-id="b"><i>second</i> one</p>',
    select: ['[data-completion-id=a] i', '[data-completion-id=b] i'],
    shares: [
      { completion_id: 'a', n_chars: 6, n_total_chars: 12, contains_code: false },
      { completion_id: 'b', n_chars: 6, n_total_chars: 10, contains_code: false },
    ],
  },
  {
    name: 'everything',
    html: '<p data-completion-id="a">first</p><p data-completion-id="b">second</p><p>other</p>',
    select: ['body', 'body'],
    shares: [
      { completion_id: 'a', n_chars: 5, n_total_chars: 5, contains_code: false },
      { completion_id: 'b', n_chars: 6, n_total_chars: 6, contains_code: false },
    ],
  },
  {
    name: 'nothing of an answer',
    html: '<p data-completion-id="a">first</p><p id="x">other</p>',
    select: ['#x', '#x'],
    shares: [],
  },
  {
    name: 'a block of code',
    html: '<div data-completion-id="a"><p>Run</p><pre><code>make <span>test</span>\n</code></pre><style>p{}</style></div>',
    select: ['code', 'code'],
    shares: [{ completion_id: 'a', n_chars: 10, n_total_chars: 13, contains_code: true }],
  },
  {
    name: 'the text beside a block of code',
    html: '<div data-completion-id="a"><p>Run</p><pre><code>make test</code></pre></div>',
    select: ['p', 'p'],
    shares: [{ completion_id: 'a', n_chars: 3, n_total_chars: 12, contains_code: false }],
  },
  {
    name: 'cells of a table',
    html: '<table data-completion-id="a"><tr><td>aa<td id="x">bbb<tr><td id="y">cccc<td>d</table>',
    select: ['#x', '#y'],
    shares: [{ completion_id: 'a', n_chars: 7, n_total_chars: 10, contains_code: false }],
  },
  {
    name: 'text from right to left',
    html: '<p dir="rtl" data-completion-id="a">שלום <b>עולם</b> טוב</p>',
    select: ['b', 'b'],
    shares: [{ completion_id: 'a', n_chars: 4, n_total_chars: 13, contains_code: false }],
  },
  {
    name: 'emoji, joined and beyond the basic plane',
    html: '<p data-completion-id="a"><b>👩‍👩‍👧</b> and 🙂</p>',
    select: ['b', 'b'],
    shares: [{ completion_id: 'a', n_chars: 8, n_total_chars: 15, contains_code: false }],
  },
  {
    name: 'an answer inside an answer',
    html: '<div data-completion-id="a">outer <q data-completion-id="b">inner</q></div>',
    select: ['[data-completion-id=a]', '[data-completion-id=a]'],
    shares: [
      { completion_id: 'a', n_chars: 6, n_total_chars: 6, contains_code: false },
      { completion_id: 'b', n_chars: 5, n_total_chars: 5, contains_code: false },
    ],
  },
  {
    name: 'part of an answer that shows its text in a shadow root',
    html: '<div data-completion-id="a">say <x-md><template shadowrootmode="open"><p>deep <b>text</b></p></template></x-md></div>',
    select: ['x-md >>> b', 'x-md >>> b'],
    shares: [{ completion_id: 'a', n_chars: 4, n_total_chars: 13, contains_code: false }],
  },
  {
    name: 'an answer within nested shadow roots',
    html: '<x-chat><template shadowrootmode="open"><x-turn><template shadowrootmode="open"><p data-completion-id="a">in <i>both</i></p></template></x-turn></template></x-chat>',
    select: ['x-chat >>> x-turn >>> i', 'x-chat >>> x-turn >>> i'],
    shares: [{ completion_id: 'a', n_chars: 4, n_total_chars: 7, contains_code: false }],
  },
  {
    name: 'slotted text, told once',
    html: '<div data-completion-id="a"><x-box><template shadowrootmode="open"><i>box </i><slot></slot></template><b>inside</b></x-box></div>',
    select: ['b', 'b'],
    shares: [{ completion_id: 'a', n_chars: 6, n_total_chars: 10, contains_code: false }],
  },
  {
    name: 'a list of Markdown below its heading',
    html: '<div data-completion-id="a"><h2>Steps</h2>\n<ol>\n<li>one</li>\n<li id="x">two <em>or</em> three</li>\n</ol></div>',
    select: ['#x', '#x'],
    shares: [{ completion_id: 'a', n_chars: 12, n_total_chars: 24, contains_code: false }],
  },
  {
    name: 'rows of a list that keeps only what is in view',
    html: '<div data-completion-id="a" style="height:40px;overflow:auto"><div style="height:900px"></div><p id="x">row 41</p><p>row 42</p><div style="height:900px"></div></div>',
    select: ['#x', '#x'],
    shares: [{ completion_id: 'a', n_chars: 6, n_total_chars: 12, contains_code: false }],
  },
  {
    name: 'the thumbs beside an answer',
    html: '<div data-completion-id="a">text<afterword-thumbs data-completion-id="a">up down</afterword-thumbs></div>',
    select: ['[data-completion-id=a]', '[data-completion-id=a]'],
    shares: [{ completion_id: 'a', n_chars: 4, n_total_chars: 4, contains_code: false }],
  },
];

async function copyOn(page, { html, select }) {
  return page.evaluate(
    ({ html, select }) => {
      document.body.setHTMLUnsafe(html);
      const find = (path) =>
        path.split(' >>> ').reduce((tree, one) => (tree.shadowRoot ?? tree).querySelector(one), document);
      const told = [];
      const aw = { copy: (id, x) => told.push([id, x]), on: () => () => {} };
      const end = afterword.observe(aw, { impression: false, dwell: false });
      const [from, to] = select.map(find);
      getSelection().setBaseAndExtent(from, 0, to, to.childNodes.length);
      document.execCommand('copy');
      end();
      return told.map(([completion_id, x]) => ({
        completion_id,
        n_chars: x.nChars,
        n_total_chars: x.nTotalChars,
        contains_code: x.containsCode,
        method: x.method,
        keys: Object.keys(x).length,
      }));
    },
    { html, select },
  );
}

/** Runs the golden set on a page that has loaded the script. */
export async function runGolden(page) {
  for (const one of CASES) {
    const told = await copyOn(page, one);
    const wanted = one.shares.map((share) => ({ ...share, method: 'selection', keys: 4 }));
    assert.deepEqual(told, wanted, one.name);
  }
  return CASES.length;
}

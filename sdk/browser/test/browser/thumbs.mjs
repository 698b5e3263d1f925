// What <afterword-thumbs> does in a browser: presses, the form, the keyboard, what hosts do to it.
import assert from 'node:assert/strict';

/** A page whose client writes down what it is told; it takes everything unless `refuses` is set. */
export const RECORDING = `
  import '/dist/define.js';
  import { setAfterword } from '/dist/element.js';
  window.calls = [];
  window.events = [];
  window.recorder = { thumb: (...call) => (calls.push(call), window.refuses ? undefined : 'id') };
  setAfterword(recorder);
  window.setAfterword = setAfterword;
  for (const name of ['afterword-change', 'afterword-submit'])
    document.addEventListener(name, (event) => {
      events.push([name, event.detail]);
      if (window.cancels === name) event.preventDefault();
    });
`;
const PLAIN = '<afterword-thumbs data-completion-id="c-1"></afterword-thumbs>';
const ASKING =
  '<afterword-thumbs data-completion-id="c-1" reasons="incorrect|rude: Rude: very|" comment></afterword-thumbs>';

/** What a page tells of its first element. */
const read = (page) =>
  page.evaluate(() => {
    const thumbs = document.querySelector('afterword-thumbs');
    const pressed = [...thumbs.shadowRoot.querySelectorAll('[part~=button]')].filter(
      (one) => one.ariaPressed === 'true',
    );
    return {
      value: thumbs.value,
      pressed: pressed.map((one) => one.getAttribute('part').split(' ')[1]),
      isOpen: !thumbs.shadowRoot.querySelector('[part=form]').hidden,
      status: thumbs.shadowRoot.querySelector('[role=status]').textContent,
      focus: thumbs.shadowRoot.activeElement?.getAttribute('part') ?? thumbs.shadowRoot.activeElement?.value ?? null,
    };
  });
const button = (page, name) => page.getByRole('button', { name, exact: true });
const told = (page) => page.evaluate(() => ({ calls, events }));

export const THUMBS = {
  async 'a press records, a second one takes it back, and the other one replaces it'({ page, open }) {
    await open(PLAIN);
    await button(page, 'Good answer').click();
    assert.deepEqual(await read(page), {
      value: 'up',
      pressed: ['up'],
      isOpen: false,
      status: 'Thank you',
      focus: 'button up',
    });
    await button(page, 'Good answer').click();
    assert.deepEqual(await read(page), {
      value: 'none',
      pressed: [],
      isOpen: false,
      status: 'Rating removed',
      focus: 'button up',
    });
    await button(page, 'Good answer').click();
    await button(page, 'Bad answer').click();
    assert.deepEqual((await read(page)).pressed, ['down']);
    const { calls, events } = await told(page);
    assert.deepEqual(
      calls.map(([id, value]) => [id, value]),
      ['up', 'none', 'up', 'down'].map((value) => ['c-1', value]),
    );
    assert.deepEqual(
      events,
      calls.map(([completionId, value]) => ['afterword-change', { completionId, value }]),
    );
  },

  async 'a press that the host cancels or the client refuses changes nothing'({ page, open }) {
    await open(ASKING);
    for (const how of ['cancels', 'refuses']) {
      await page.evaluate((how) => {
        window[how] = how === 'cancels' ? 'afterword-change' : true;
      }, how);
      await button(page, 'Bad answer').click();
      const { value, isOpen, status } = await read(page);
      assert.deepEqual({ value, isOpen, status }, { value: 'none', isOpen: false, status: '' }, how);
      await page.evaluate((how) => {
        window[how] = undefined;
      }, how);
    }
    assert.equal((await told(page)).calls.length, 1, 'what the host cancels never reaches the client');
    await button(page, 'Bad answer').click();
    await page.evaluate(() => (window.cancels = 'afterword-submit'));
    await page.getByLabel('Comment').fill('no');
    await button(page, 'Send').click();
    assert.equal((await read(page)).isOpen, true, 'what was written stays');
    assert.equal((await told(page)).calls.length, 2);
  },

  async 'the form sends reasons and comment, and gives the focus back'({ page, open }) {
    await open(ASKING);
    await button(page, 'Bad answer').click();
    assert.deepEqual(await read(page), {
      value: 'down',
      pressed: ['down'],
      isOpen: true,
      status: '',
      focus: 'incorrect',
    });
    await page.getByLabel('Rude: very').check();
    await page.getByLabel('Comment').fill('  It never ends.\n');
    await button(page, 'Send').click();
    assert.deepEqual(await read(page), {
      value: 'down',
      pressed: ['down'],
      isOpen: false,
      status: 'Thank you',
      focus: 'button down',
    });
    const { calls, events } = await told(page);
    const x = { reasons: ['rude'], comment: 'It never ends.' };
    assert.deepEqual(calls.at(-1), ['c-1', 'down', x]);
    assert.deepEqual(events.at(-1), ['afterword-submit', { completionId: 'c-1', value: 'down', ...x }]);
  },

  async 'an empty form sends nothing, and a thumb up asks only where it has something to ask'({ page, open }) {
    await open(`${ASKING}<hr>`);
    await button(page, 'Good answer').click();
    assert.equal((await read(page)).isOpen, false);
    await button(page, 'Bad answer').click();
    await page.getByLabel('Comment').fill('   ');
    await button(page, 'Send').click();
    const { value, isOpen } = await read(page);
    assert.deepEqual({ value, isOpen }, { value: 'down', isOpen: false });
    assert.equal((await told(page)).calls.length, 2);
    await page.evaluate(() => document.querySelector('afterword-thumbs').setAttribute('comment', 'both'));
    await button(page, 'Good answer').click();
    assert.equal((await read(page)).focus, 'comment');
    assert.ok(await page.getByRole('group', { name: 'Tell us more' }).isVisible());
    assert.equal(await page.getByLabel('Incorrect').count(), 0, 'reasons are those of a thumb down');
  },

  async 'switching drops what was chosen for the other thumb'({ page, open }) {
    await open(ASKING);
    await button(page, 'Bad answer').click();
    await page.getByLabel('Incorrect').check();
    await page.getByLabel('Comment').fill('old words');
    await button(page, 'Good answer').click();
    assert.equal((await read(page)).isOpen, false);
    await button(page, 'Bad answer').click();
    assert.deepEqual(
      [await page.getByLabel('Incorrect').isChecked(), await page.getByLabel('Comment').inputValue()],
      [false, ''],
    );
  },

  async 'the keyboard alone does everything, and Escape leaves a dialog around it open'({ page, open }) {
    await open(`<dialog>${ASKING}</dialog>`);
    await page.evaluate(() => document.querySelector('dialog').showModal());
    await page.evaluate(() => document.querySelector('afterword-thumbs').focus());
    assert.equal((await read(page)).focus, 'button up');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    assert.equal((await read(page)).focus, 'incorrect');
    await page.keyboard.press('Escape');
    const closed = await read(page);
    assert.deepEqual([closed.isOpen, closed.focus, closed.value], [false, 'button down', 'down']);
    assert.equal(await page.evaluate(() => document.querySelector('dialog').open), true);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    assert.equal((await read(page)).focus, 'comment');
    await page.keyboard.type('typed');
    await page.keyboard.press('Tab');
    assert.equal((await read(page)).focus, 'submit');
    await page.keyboard.press('Enter');
    assert.deepEqual((await told(page)).calls.at(-1), ['c-1', 'down', { reasons: ['incorrect'], comment: 'typed' }]);
    assert.equal((await read(page)).focus, 'button down');
    await page.keyboard.press('Escape');
    assert.equal(
      await page.evaluate(() => document.querySelector('dialog').open),
      false,
      'the second one is for the dialog',
    );
  },

  async 'what the host sets is shown and not sent, before and after the element is defined'({ page, open }) {
    const late = `
      const early = document.querySelector('#early');
      early.value = 'down';
      early.client = { thumb: (...call) => (window.own = call) && 'id' };
      await import('/dist/define.js');`;
    await open(
      `<afterword-thumbs data-completion-id="c-1" value="up">served</afterword-thumbs>
      <afterword-thumbs id="early" data-completion-id="c-2"></afterword-thumbs>
      <afterword-thumbs data-completion-id="c-3" value="up"><template shadowrootmode="open"><b>served</b></template></afterword-thumbs>`,
      late + RECORDING.replace("import '/dist/define.js';", ''),
    );
    // A page may be loaded before a module that awaits another one is through.
    await page.evaluate(() => customElements.whenDefined('afterword-thumbs').then(() => {}));
    const values = () =>
      page.evaluate(() => [...document.querySelectorAll('afterword-thumbs')].map((one) => one.value));
    assert.deepEqual(await values(), ['up', 'down', 'up']);
    assert.equal(await button(page, 'Good answer').count(), 3);
    await page.evaluate(() => {
      document.querySelector('afterword-thumbs').setAttribute('value', 'nonsense');
      document.querySelector('#early').value = null;
    });
    assert.deepEqual(await values(), ['none', 'none', 'up']);
    assert.deepEqual(await told(page), { calls: [], events: [] });
    await button(page, 'Good answer').nth(1).click();
    assert.deepEqual(await page.evaluate(() => [own[0], own[1], calls.length]), ['c-2', 'up', 0]);
  },

  async 'a node that is moved keeps its state and what is being written'({ page, open }) {
    await open(`${ASKING}<main></main>`);
    await button(page, 'Bad answer').click();
    await page.getByLabel('Comment').fill('half a sen');
    await page.evaluate(() => document.querySelector('main').append(document.querySelector('afterword-thumbs')));
    const { pressed, isOpen } = await read(page);
    assert.deepEqual({ pressed, isOpen }, { pressed: ['down'], isOpen: true });
    assert.equal(await page.getByLabel('Comment').inputValue(), 'half a sen');
  },

  async 'a node that is used for another answer forgets what was pressed, and keeps what the host says'({
    page,
    open,
  }) {
    await open(ASKING);
    await button(page, 'Bad answer').click();
    await page.evaluate(() => (document.querySelector('afterword-thumbs').dataset.completionId = 'c-2'));
    const { value, isOpen, status } = await read(page);
    assert.deepEqual({ value, isOpen, status }, { value: 'none', isOpen: false, status: '' });
    await page.evaluate(() => {
      const thumbs = document.querySelector('afterword-thumbs');
      thumbs.value = 'up';
      thumbs.dataset.completionId = 'c-3';
    });
    assert.equal((await read(page)).value, 'up');
  },

  async 'what is pressed before there is a client is kept until there is one, the latest of each answer'({
    page,
    open,
  }) {
    await open(`${PLAIN}${PLAIN.replace('c-1', 'c-2')}`, RECORDING.replace(/^ *setAfterword\(recorder\);$/m, ''));
    const warnings = [];
    page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()));
    await button(page, 'Good answer').first().click();
    await button(page, 'Bad answer').first().click();
    await button(page, 'Good answer').last().click();
    assert.equal((await told(page)).calls.length, 0);
    await page.evaluate(() => setAfterword(recorder));
    const calls = (await told(page)).calls.map(([id, value]) => [id, value]);
    assert.deepEqual(calls, [
      ['c-1', 'down'],
      ['c-2', 'up'],
    ]);
    assert.equal(warnings.length, 1);
  },

  async 'nothing can be pressed while it is disabled or has no answer yet'({ page, open }) {
    await open(
      `<afterword-thumbs disabled data-completion-id="c-1"></afterword-thumbs><afterword-thumbs></afterword-thumbs>`,
    );
    for (const one of await button(page, 'Good answer').all()) assert.equal(await one.isDisabled(), true);
    await page.evaluate(() => {
      const [first, second] = document.querySelectorAll('afterword-thumbs');
      first.disabled = false;
      second.dataset.completionId = 'c-2';
    });
    await button(page, 'Good answer').first().click();
    await button(page, 'Good answer').last().click();
    assert.deepEqual(
      (await told(page)).calls.map(([id]) => id),
      ['c-1', 'c-2'],
    );
    await page.evaluate(() => (document.querySelector('afterword-thumbs').disabled = true));
    assert.equal(await button(page, 'Good answer').first().isDisabled(), true);
  },

  async 'without constructed style sheets it looks plain and works'({ page, open }) {
    await page.addInitScript(() => {
      Reflect.deleteProperty(ShadowRoot.prototype, 'adoptedStyleSheets');
      Reflect.deleteProperty(window, 'CSSStyleSheet');
    });
    await open(ASKING);
    assert.equal(await page.getByLabel('Comment').isVisible(), false);
    await button(page, 'Bad answer').click();
    await page.getByLabel('Comment').fill('plain');
    await button(page, 'Send').click();
    assert.equal((await told(page)).calls.at(-1)[2].comment, 'plain');
    assert.equal(await page.getByLabel('Comment').isVisible(), false);
  },

  async 'another name for the element is another element that does the same'({ page, open }) {
    await open(
      '<afterword-thumbs-small data-completion-id="c-9"></afterword-thumbs-small>',
      `${RECORDING}
      import { AfterwordThumbs, defineThumbs } from '/dist/element.js';
      defineThumbs('afterword-thumbs-small');
      defineThumbs('afterword-thumbs-small');
      window.isThumbs = document.querySelector('afterword-thumbs-small') instanceof AfterwordThumbs;`,
    );
    await button(page, 'Good answer').click();
    assert.deepEqual(await page.evaluate(() => [isThumbs, calls[0][0]]), [true, 'c-9']);
  },
};

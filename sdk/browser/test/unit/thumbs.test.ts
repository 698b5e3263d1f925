import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { orAbsent } from '../../src/absent.ts';
import { AfterwordThumbs, defineThumbs, setAfterword } from '../../src/element.ts';
import { ar } from '../../src/i18n/ar.ts';
import { de } from '../../src/i18n/de.ts';
import { en } from '../../src/i18n/en.ts';
import { es } from '../../src/i18n/es.ts';
import { fr } from '../../src/i18n/fr.ts';
import { loadStrings } from '../../src/i18n/load.ts';
import { zh } from '../../src/i18n/zh.ts';
import { thumb } from '../../src/svelte.ts';
import { createThumbStore } from '../../src/thumb-store.ts';
import { World } from '../world.ts';

test('every language has every word, and a label for every reason', async () => {
  for (const [language, strings] of Object.entries({ ar, de, es, fr, zh })) {
    const { dir, ...words } = strings;
    assert.deepEqual(Object.keys(words), Object.keys(en), language);
    assert.deepEqual(Object.keys(words.reasons), Object.keys(en.reasons), language);
    for (const word of [...Object.values(words), ...Object.values(words.reasons)]) assert.notEqual(word, '', language);
    assert.equal(dir, language === 'ar' ? 'rtl' : undefined);
    assert.equal(await loadStrings(language), strings);
  }
  assert.equal(await loadStrings('xx'), undefined);
});

test('where there are no elements the element can be imported and defining it does nothing', () => {
  assert.equal(typeof AfterwordThumbs, 'function');
  defineThumbs();
  const { client } = new World(true).open();
  assert.equal(setAfterword(client), client);
});

test('a thumb is what was last recorded of it, by whomever, and stays when nobody looks', () => {
  const { client } = new World(true).open();
  const store = createThumbStore(client, 'a', 'down');
  const seen: string[] = [];
  const stop = store.subscribe(() => seen.push(store.get().value));
  assert.equal(store.get().value, 'down');
  assert.equal(store.get(), store.get(), 'a state is the same object until it changes');
  store.press('up');
  client.thumb('a', 'down', { reasons: ['incorrect'], comment: 'no' });
  client.thumb('b', 'up');
  client.rating('a', 1);
  assert.deepEqual(store.get(), { value: 'down', reasons: ['incorrect'], comment: 'no' });
  store.press('down');
  stop();
  store.set('up');
  assert.deepEqual(seen, ['up', 'down', 'down', 'none']);
  assert.deepEqual(createThumbStore(client, 'a').get(), { value: 'up', reasons: [], comment: '' });
});

test('a thumb that is not taken does not look pressed', () => {
  const { client } = new World(true, { consent: 'denied' }).open();
  const store = createThumbStore(client, 'a');
  assert.equal(store.press('up'), undefined);
  assert.equal(store.get().value, 'none');
});

test("a thumb keeps to the contract of Svelte's stores", () => {
  const { client } = new World(true).open();
  const own = thumb(client, 'a');
  const seen: string[] = [];
  const stop = own.subscribe(({ value }) => seen.push(value));
  own.press('up');
  own.press('up');
  stop();
  own.press('down');
  assert.deepEqual(seen, ['none', 'up', 'none']);
});

test('a page without a client is warned once, and its calls come to nothing', async () => {
  const warn = mock.method(console, 'warn', () => {});
  const aw = orAbsent(undefined, 'here');
  assert.equal(orAbsent(undefined, 'there'), aw);
  assert.deepEqual(
    warn.mock.calls.map(({ arguments: [text] }) => text),
    ['afterword: no client here; here'],
  );
  warn.mock.restore();
  assert.equal(aw.thumb('a', 'up'), undefined);
  assert.equal(aw.completion('a').edit('text'), undefined);
  assert.equal(aw.on('drop', () => {})(), undefined);
  assert.deepEqual([aw.pending, aw.sessionId, (await aw.flush()).pending], [0, '', 0]);
  await aw.shutdown();
  assert.equal(await aw, aw, 'it is no promise');
});

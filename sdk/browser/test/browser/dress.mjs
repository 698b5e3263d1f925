// How <afterword-thumbs> looks, sounds and behaves under a strict policy: axe, languages, colours, widths.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { RECORDING } from './thumbs.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCREENS = 'build/screens';

/** Two answers: one untouched, one with its form open; the page has headings and landmarks, as axe wants them. */
const CHAT = `<main><h1>Chat</h1>
  <p>Paris is the capital of France.</p>
  <afterword-thumbs data-completion-id="c-1" value="up"></afterword-thumbs>
  <p>Lyon is the capital of France.</p>
  <afterword-thumbs data-completion-id="c-2" id="asking" reasons="incorrect|incomplete|off_topic|unsafe|other" comment></afterword-thumbs>
  <p>An answer that cannot be rated.</p>
  <afterword-thumbs data-completion-id="c-3" disabled></afterword-thumbs></main>`;
const SCHEME = '<meta name="color-scheme" content="light dark">';

const openForm = (page) => page.evaluate(() => asking.shadowRoot.querySelector('[part~=down]').click());

async function axe(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

export const DRESS = {
  async 'axe finds nothing, in light, dark and forced colours, at 320 and 800 pixels, from right to left'({
    page,
    open,
  }) {
    mkdirSync(SCREENS, { recursive: true });
    const looks = [
      { colorScheme: 'light', forcedColors: 'none' },
      { colorScheme: 'dark', forcedColors: 'none' },
      { colorScheme: 'light', forcedColors: 'active' },
      { colorScheme: 'dark', forcedColors: 'active' },
    ];
    for (const html of ['lang="en"', 'lang="ar" dir="rtl"']) {
      for (const width of [320, 800]) {
        for (const look of looks) {
          await page.setViewportSize({ width, height: 640 });
          await page.emulateMedia(look);
          await open(CHAT, RECORDING, { html, head: SCHEME });
          await page.waitForFunction(
            (html) => html.includes('en') || asking.shadowRoot.querySelector('[dir=rtl]'),
            html,
          );
          await openForm(page);
          const name = [html.slice(6, 8), width, look.colorScheme, look.forcedColors === 'active' && 'forced'];
          await page.screenshot({ path: `${SCREENS}/${name.filter(Boolean).join('-')}.png` });
          assert.deepEqual(await axe(page), [], name.join(' '));
          const nSpilled = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(nSpilled <= 0, `${name}: the page is ${nSpilled} pixels too wide`);
        }
      }
    }
  },

  async 'what a screen reader is told of it'({ page, open }) {
    await open(CHAT);
    await openForm(page);
    const snapshot = await page.locator('#asking').ariaSnapshot();
    assert.equal(
      snapshot,
      `- group "Rate this answer":
  - button "Good answer"
  - button "Bad answer" [pressed]
  - status
- group "Tell us more":
  - text: Tell us more
  - checkbox "Incorrect"
  - text: Incorrect
  - checkbox "Incomplete"
  - text: Incomplete
  - checkbox "Off topic"
  - text: Off topic
  - checkbox "Unsafe"
  - text: Unsafe
  - checkbox "Something else"
  - text: Something else Comment
  - textbox "Comment"
  - button "Send"
  - button "Close"`,
    );
    const region = await page.evaluate(() => asking.shadowRoot.querySelector('[role=status]').isConnected);
    assert.equal(region, true);
  },

  async 'it speaks six languages, each loaded when it is needed, and the words of the host win'({ page, open }) {
    const wanted = [];
    page.on('request', (request) => /i18n/.test(request.url()) && wanted.push(request.url().replace(/.*\//, '')));
    const thumbs = (lang) => `<afterword-thumbs data-completion-id="c" lang="${lang}"></afterword-thumbs>`;
    await open(
      ['en', 'de', 'de-AT', 'fr', 'es', 'zh-Hans', 'ar', 'xx', 'nl'].map(thumbs).join(''),
      `${RECORDING}
      import { AfterwordThumbs } from '/dist/element.js';
      AfterwordThumbs.strings.nl = { ...AfterwordThumbs.strings.en, up: 'Goed antwoord' };`,
    );
    const names = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('afterword-thumbs')].map(({ shadowRoot }) => {
          const group = shadowRoot.querySelector('[role=group]');
          return `${group.lang} ${group.dir} ${group.querySelector('button').ariaLabel}`;
        }),
      );
    await page.waitForFunction(() => document.querySelector('[lang=ar]').shadowRoot.querySelector('[dir=rtl]'));
    await page.waitForFunction(() => !document.querySelector('[lang=zh-Hans]').shadowRoot.querySelector('[lang=en]'));
    await page.evaluate(() => (document.querySelector('[lang=nl]').disabled = true));
    assert.deepEqual(await names(), [
      'en ltr Good answer',
      'de ltr Gute Antwort',
      'de-AT ltr Gute Antwort',
      'fr ltr Bonne réponse',
      'es ltr Buena respuesta',
      'zh-Hans ltr 回答得好',
      'ar rtl إجابة جيدة',
      'en ltr Good answer',
      'nl ltr Goed antwoord',
    ]);
    assert.deepEqual(wanted.toSorted(), ['ar.js', 'de.js', 'es.js', 'fr.js', 'zh.js']);
    await page.evaluate(() => document.querySelector('afterword-thumbs').setAttribute('lang', 'fr'));
    assert.equal((await names())[0], 'fr ltr Bonne réponse');
    const [up, down] = await page.evaluate(() =>
      [...document.querySelector('[lang=ar]').shadowRoot.querySelectorAll('button')].map(
        (one) => one.getBoundingClientRect().x,
      ),
    );
    assert.ok(up > down, 'the first button is on the right');
  },

  async 'a language that cannot be loaded leaves English'({ page, open }) {
    await page.route('**/i18n/de.js', (route) => route.abort());
    await open('<afterword-thumbs data-completion-id="c" lang="de"></afterword-thumbs>');
    await page.getByRole('button', { name: 'Good answer' }).click();
    assert.equal((await page.evaluate(() => calls)).length, 1);
  },

  async 'the page sets colours and sizes by variables and parts'({ page, open }) {
    const head = '<link rel="stylesheet" href="/pages/theme.css">';
    await page.route('**/pages/theme.css', (route) =>
      route.fulfill({
        contentType: 'text/css',
        body: `afterword-thumbs { --afterword-size: 48px; --afterword-color: rgb(1, 2, 3); --afterword-accent: rgb(4, 5, 6); --afterword-radius: 7px; --afterword-gap: 9px; --afterword-background: rgb(8, 8, 8) }
          afterword-thumbs::part(down) { border-color: rgb(9, 9, 9) } afterword-thumbs::part(submit) { color: rgb(10, 10, 10) }`,
      }),
    );
    await open(CHAT, RECORDING, { head });
    await openForm(page);
    const seen = await page.evaluate(() => {
      const style = (part) => getComputedStyle(asking.shadowRoot.querySelector(`[part~=${part}]`));
      return [
        style('up').width,
        style('up').color,
        style('down').color,
        style('up').borderRadius,
        style('group').columnGap,
        style('form').backgroundColor,
        style('down').borderTopColor,
        style('submit').color,
      ];
    });
    assert.deepEqual(seen, [
      '48px',
      'rgb(1, 2, 3)',
      'rgb(4, 5, 6)',
      '7px',
      '9px',
      'rgb(8, 8, 8)',
      'rgb(9, 9, 9)',
      'rgb(10, 10, 10)',
    ]);
  },

  async 'the manifest names the parts, variables, attributes and events that there are'({ page, open }) {
    const manifest = JSON.parse(readFileSync('custom-elements.json', 'utf8'));
    const [{ cssParts, cssProperties, attributes, events }] = manifest.modules[0].declarations;
    await open(CHAT);
    await openForm(page);
    await page.evaluate(() => asking.shadowRoot.querySelector('[part=close]').click());
    const parts = await page.evaluate(() =>
      [...asking.shadowRoot.querySelectorAll('[part]')].flatMap((one) => [...one.part]),
    );
    const css = readFileSync('src/element.css', 'utf8').match(/--afterword-\w+/g);
    const source = readFileSync('src/element.ts', 'utf8');
    const names = (list) => new Set(list.map(({ name }) => name));
    assert.deepEqual(names(cssParts), new Set(parts));
    assert.deepEqual(names(cssProperties), new Set(css));
    for (const { name } of attributes) assert.ok(source.includes(`'${name}'`) || name === 'data-completion-id', name);
    for (const { name } of events) assert.ok(source.includes(`'${name}'`), name);
  },

  async 'a strict policy with Trusted Types has nothing to complain of, and the row arrives'({
    page,
    pages,
    service,
    token,
  }) {
    const policy = `default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;
    const thumbs =
      '<afterword-thumbs data-completion-id="strict" reasons="incorrect" comment lang="de"></afterword-thumbs>';
    const start = `window.violations = [];
      document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
      window.aw = setAfterword(createAfterword({ endpoint: location.origin, token: '${token}' }));`;
    const scripts = [
      `import '/dist/define.js'; import { setAfterword } from '/dist/element.js'; import { createAfterword } from '/dist/index.js'; ${start}`,
      start.replace(/(setAfterword|createAfterword)/g, 'afterword.$1'),
    ];
    for (const [i, script] of scripts.entries()) {
      const complaints = [];
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      const body = thumbs.replace('strict', `strict-${i}`);
      const head = i ? '<script src="/dist/afterword.iife.js"></script>' : '';
      await page.goto(pages.write(body, { script, head, headers: { 'Content-Security-Policy': policy } }));
      await page.getByRole('button', { name: 'Schlechte Antwort' }).click();
      await page.getByLabel('Falsch').check();
      await page.getByRole('button', { name: 'Senden' }).click();
      await page.waitForFunction(() => aw.pending === 0, undefined, { timeout: 10_000 });
      const violations = await page.evaluate(() => window.violations);
      assert.deepEqual([violations, complaints], [[], []]);
      const rows = (await service.rows()).filter((row) => row.completion_id === `strict-${i}`);
      assert.deepEqual(
        rows.map((row) => row.signal),
        ['thumb', 'thumb'],
      );
      assert.equal(rows.filter((row) => row.supersedes).length, 1, 'the form supersedes the press');
    }
  },

  async 'the served script runs what was pushed before it was there, and brings the language of the page'({
    page,
    open,
    service,
    token,
  }) {
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    const head = `<script>
      var afterword = afterword || [];
      var said = [];
      afterword.push(({ createAfterword, setAfterword }) => {
        window.aw = setAfterword(createAfterword({ endpoint: location.origin, token: '${token}' }));
      });
      afterword.push(() => { throw new Error('of the host'); }, () => said.push(aw.thumb('early', 'up')));
      </script><script src="${service.url}/sdk/v1/afterword.js" async></script>`;
    await open('<afterword-thumbs data-completion-id="c" lang="de-AT"></afterword-thumbs>', '', { head });
    await page.waitForFunction(() => said.length === 1);
    assert.deepEqual(errors, ['of the host']);
    await page.getByRole('button', { name: 'Gute Antwort' }).waitFor();
    await page.evaluate(() => new Promise((resolve) => afterword.push(resolve)));
    await page.waitForFunction(() => aw.pending === 0);
    const ids = (await service.rows()).filter((row) => row.completion_id === 'early').map((row) => row.id);
    assert.deepEqual(ids, await page.evaluate(() => said));
  },

  async 'what is observed of answers leaves the thumbs out'({ page, open }) {
    await open(
      CHAT,
      `${RECORDING}
      import { observe } from '/dist/observe.js';
      window.seen = [];
      observe({ ...recorder, impression: (id) => seen.push(id), copy: (id) => seen.push(id), dwell() {}, on: () => () => {} });
      const answer = document.createElement('p');
      answer.dataset.completionId = 'answer';
      answer.append('text');
      document.querySelector('main').prepend(answer);`,
    );
    await page.waitForFunction(() => seen.length > 0);
    await page.evaluate(() => {
      getSelection().selectAllChildren(document.body);
      document.execCommand('copy');
    });
    assert.deepEqual(await page.evaluate(() => seen), ['answer', 'answer']);
  },
};

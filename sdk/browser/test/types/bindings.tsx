// What hosts of the bindings write, checked against the published types.
import { createAfterword } from '@afterword/browser';
import { AfterwordThumbs, setAfterword, type ThumbStrings } from '@afterword/browser/element';
import { en } from '@afterword/browser/i18n/en';
import { AfterwordProvider, Completion, useAfterword, useThumb } from '@afterword/browser/react';
import { completion, thumb } from '@afterword/browser/svelte';
import { createAfterwordPlugin, useThumb as useThumbOfVue } from '@afterword/browser/vue';
import type { App } from 'vue';

const aw = setAfterword(createAfterword({ endpoint: '/', token: 'aw_pub_0' }));
AfterwordThumbs.strings.nl = { ...en, up: 'Goed antwoord' } satisfies ThumbStrings;
document.createElement('afterword-thumbs').value = 'up';
document.addEventListener('afterword-submit', () => {});
document.body.addEventListener('afterword-submit', ({ detail }) => detail.reasons satisfies string[]);

export function Answer({ id }: { id: string }) {
  const { value, press, set } = useThumb(id, 'none');
  useAfterword().copy(id);
  return (
    <AfterwordProvider client={aw}>
      <Completion as="a" id={id} href="#answer" onClick={() => press('up')}>
        {value}
      </Completion>
      <Completion id={id} onClick={() => set('down', { reasons: ['incorrect'] })} />
      <afterword-thumbs
        data-completion-id={id}
        value={value}
        comment="both"
        disabled
        client={aw}
        onafterword-change={(event) => event.detail.completionId satisfies string}
      />
      {/* @ts-expect-error: there is no such thumb. */}
      <afterword-thumbs value="sideways" />
      {/* @ts-expect-error: a div has no address. */}
      <Completion id={id} href="#answer" />
    </AfterwordProvider>
  );
}

export function useAll(app: App, id: string): void {
  app.use(createAfterwordPlugin(aw));
  const { value, press } = useThumbOfVue(() => id);
  value.value satisfies 'up' | 'down' | 'none';
  // @ts-expect-error: nobody presses nothing.
  press('none');
  thumb(aw, id).subscribe(({ reasons }) => reasons satisfies readonly string[])();
  completion(document.body, id).update(id);
}

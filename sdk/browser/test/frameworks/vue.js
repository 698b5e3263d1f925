// The same page for Vue 3.
import { createAfterwordPlugin, useAfterword, useThumb, vCompletion } from '@afterword/browser/vue';
import { createApp, createSSRApp, h, ref, withDirectives } from 'vue';

const Thumb = {
  props: ['id', 'initial'],
  setup(props) {
    const { value, reasons, comment, set, press } = useThumb(() => props.id, props.initial);
    return () =>
      h('p', [
        h('button', { 'aria-pressed': value.value === 'up', onClick: () => press('up') }, `up ${props.id}`),
        h('button', { onClick: () => set('down', { reasons: ['incorrect'], comment: 'no' }) }, `down ${props.id}`),
        h('output', [props.id, value.value, ...reasons.value, comment.value].join(' ').trim()),
      ]);
  },
};

const Orphan = {
  setup() {
    const aw = useAfterword();
    const thumb = useThumb('nobody');
    return () => h('button', { onClick: () => aw.completion('nobody').copy() || thumb.press('up') }, 'orphan');
  },
};

const App = {
  props: ['name'],
  setup(props) {
    const isShown = ref(true);
    const id = (i) => `${props.name}-${i}`;
    return () => [
      withDirectives(h('article', { class: 'answer' }, 'The answer'), [[vCompletion, id(1)]]),
      h(Thumb, { id: id(1) }),
      h(Thumb, { id: id(1) }),
      isShown.value ? h(Thumb, { id: id(2), initial: 'down' }) : null,
      h('button', { onClick: () => (isShown.value = !isShown.value) }, 'toggle'),
    ];
  },
};

export const createPage = (client, name) => createSSRApp(App, { name }).use(createAfterwordPlugin(client));
export const createOrphan = () => createApp(Orphan);

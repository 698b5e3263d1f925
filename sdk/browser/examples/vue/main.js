import { createAfterword } from '@afterword/browser';
import { setAfterword } from '@afterword/browser/element';
import { observe } from '@afterword/browser/observe';
import { createAfterwordPlugin } from '@afterword/browser/vue';
import '@afterword/browser/define';
import { createApp } from 'vue';
import Chat from './Chat.vue';

const query = new URLSearchParams(location.search);
const aw = createAfterword({ endpoint: query.get('endpoint') ?? 'http://127.0.0.1:8787', token: query.get('key') });
// For <afterword-thumbs>; the composables take the client from the plugin.
setAfterword(aw);
observe(aw);

createApp(Chat).use(createAfterwordPlugin(aw)).mount('#app');

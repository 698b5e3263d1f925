import { createAfterword } from '@afterword/browser';
import { setAfterword } from '@afterword/browser/element';
import { observe } from '@afterword/browser/observe';
import '@afterword/browser/define';
import { mount } from 'svelte';
import Chat from './Chat.svelte';

const query = new URLSearchParams(location.search);
const aw = createAfterword({ endpoint: query.get('endpoint') ?? 'http://127.0.0.1:8787', token: query.get('key') });
// For <afterword-thumbs>; the stores are given the client.
setAfterword(aw);
observe(aw);

mount(Chat, { target: document.querySelector('#app'), props: { aw } });

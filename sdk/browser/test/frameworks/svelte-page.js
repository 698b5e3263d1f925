import { createAfterword } from '@afterword/browser';
import * as svelte from 'svelte';
import App from './App.svelte';

const { token, name } = document.body.dataset;
window.aw = createAfterword({ endpoint: location.origin, token });
window.mistakes = [];
const options = { target: document.querySelector('#app'), props: { client: window.aw, name } };
// Version 4 has classes, version 5 a function.
svelte.mount ? svelte.mount(App, options) : new App(options);

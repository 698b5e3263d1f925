import { createAfterword } from '@afterword/browser';
import { createOrphan, createPage } from './vue.js';

const { token, name } = document.body.dataset;
window.aw = createAfterword({ endpoint: location.origin, token });
window.mistakes = [];
createPage(window.aw, name).mount('#app');
createOrphan().mount('#orphan');

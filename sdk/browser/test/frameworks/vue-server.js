import { createAfterword } from '@afterword/browser';
import { renderToString } from 'vue/server-renderer';
import { createPage } from './vue.js';

export const render = (name) => renderToString(createPage(createAfterword({ endpoint: '/', token: 'aw_pub_0' }), name));

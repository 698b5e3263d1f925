import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

// Vue must know that <afterword-thumbs> is no component of its own.
const template = { compilerOptions: { isCustomElement: (tag) => tag === 'afterword-thumbs' } };

export default defineConfig({ plugins: [vue({ template })], base: './' });

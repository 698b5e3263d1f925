import '@afterword/browser/define';
import { createAfterword } from '@afterword/browser';
import { setAfterword } from '@afterword/browser/element';
import { StrictMode } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { App } from './react.jsx';

const { token, name } = document.body.dataset;
window.aw = setAfterword(createAfterword({ endpoint: location.origin, token }));
window.mistakes = [];
hydrateRoot(
  document.querySelector('#app'),
  <StrictMode>
    <App client={window.aw} name={name} />
  </StrictMode>,
  { onRecoverableError: (error) => window.mistakes.push(String(error)) },
);

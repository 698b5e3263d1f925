import { createAfterword } from '@afterword/browser';
import { setAfterword } from '@afterword/browser/element';
import { observe } from '@afterword/browser/observe';
import { AfterwordProvider } from '@afterword/browser/react';
import '@afterword/browser/define';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Chat } from './Chat.jsx';

const query = new URLSearchParams(location.search);
const aw = createAfterword({ endpoint: query.get('endpoint') ?? 'http://127.0.0.1:8787', token: query.get('key') });
// For <afterword-thumbs>; the hooks take the client from the provider.
setAfterword(aw);
observe(aw);

createRoot(document.querySelector('#app')).render(
  <StrictMode>
    <AfterwordProvider client={aw}>
      <Chat />
    </AfterwordProvider>
  </StrictMode>,
);

import { createAfterword } from '@afterword/browser';
import { renderToString } from 'react-dom/server';
import { App } from './react.jsx';

export const render = (name) =>
  renderToString(<App client={createAfterword({ endpoint: '/', token: 'aw_pub_0' })} name={name} />);

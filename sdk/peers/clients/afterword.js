// Ours, with its defaults.
import { createAfterword } from '../../browser/dist/index.js';

let client;
window.start = async (endpoint) => {
  client = createAfterword({ endpoint, token: 'aw_pub_0123456789abcdef' });
};
window.record = (marker) => client.thumb(marker, 'up');

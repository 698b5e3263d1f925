// @snowplow/browser-tracker with its defaults.
import { newTracker, trackStructEvent } from '@snowplow/browser-tracker';

window.start = async (endpoint) => {
  newTracker('sp', endpoint, { appId: 'page' });
};
window.record = (marker) => trackStructEvent({ category: 'reaction', action: 'thumb', label: marker });

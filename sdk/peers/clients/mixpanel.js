// mixpanel-browser with its defaults; its core alone, without the recorder.
import mixpanel from 'mixpanel-browser/src/loaders/loader-module-core';

window.start = async (endpoint) => {
  mixpanel.init('0123456789', { api_host: endpoint, autocapture: false, track_pageview: false });
};
window.record = (marker) => mixpanel.track('reaction', { marker });

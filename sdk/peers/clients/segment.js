// @segment/analytics-next with its defaults; the settings that its CDN would bring are given.
import { AnalyticsBrowser } from '@segment/analytics-next';

let analytics;
window.start = async (endpoint) => {
  const [protocol, apiHost] = endpoint.split('://');
  analytics = AnalyticsBrowser.load({
    writeKey: 'k',
    cdnSettings: { integrations: { 'Segment.io': { apiKey: 'k', apiHost, protocol } } },
  });
  await analytics.ready();
};
window.record = (marker) => void analytics.track('reaction', { marker });
